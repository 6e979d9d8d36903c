"""Locks of files, which the kernel gives back when their holder dies, `kill -9` included."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from graphrec.core.errors import ArtifactError
from graphrec.core.progress import logger


@contextmanager
def held(path: Path, what: str) -> Iterator[None]:
    """Hold the lock file `path` alone, waiting for whoever has it; `what` tells a person what is waited for."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            logger.info("waiting for another process: %s", what)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def shared_folder(folder: Path) -> Iterator[None]:
    """Hold the run at `folder` together with others who hold it so.

    While it is held, `graphrec run` is refused there; raises `ArtifactError` when such a call is at work.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            raise ArtifactError(f"{folder}: in use by process {file.read().strip()}; wait or use --out") from None
        file.truncate(0)
        file.write(f"{os.getpid()} (a sweep)")
        file.flush()
        yield
