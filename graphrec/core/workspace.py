"""A stage's private folder for scratch files, checkpoints and memory maps.

It survives a killed run, so that the next one resumes, and goes once the stage's artifact is whole.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Workspace:
    """A folder handed to a stage. `path` exists."""

    path: Path

    @classmethod
    @contextmanager
    def temporary(cls) -> Iterator["Workspace"]:
        """Give a workspace that is removed at the end: for tests, notebooks and one-off calls."""
        with tempfile.TemporaryDirectory(prefix="graphrec-") as folder:
            yield cls(Path(folder))

    def part(self, name: str) -> "Workspace":
        """Return the sub-workspace called `name`, made when missing."""
        folder = self.path / name
        folder.mkdir(parents=True, exist_ok=True)
        return Workspace(folder)

    def memmap(self, name: str, shape: tuple[int, ...], dtype: Any = np.float32) -> np.memmap[Any, Any]:
        """Create a writable array on disk, for what should not stand in memory."""
        return np.lib.format.open_memmap(self.path / f"{name}.npy", mode="w+", dtype=dtype, shape=shape)
