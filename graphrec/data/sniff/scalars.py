"""Scalars and paths of the YAML that is written."""

import glob
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path

_PLAIN = re.compile(r"[A-Za-z_/][\w./-]*")
_RESERVED = {"y", "n", "yes", "no", "on", "off", "true", "false", "null", "none"}


def folder_of(paths: Sequence[Path]) -> Path:
    """Return the deepest folder that holds all of `paths`."""
    parents = [str(path.resolve().parent) for path in paths]
    folder = Path(os.path.commonpath(parents))
    # A $ would start the name of a variable; in a path below the folder it can be written as [$].
    while "$" in str(folder):
        folder = folder.parent
    return folder


def path_in(path: Path, folder: Path) -> str:
    """Return `path` as seen from `folder`, as a scalar that the readers take for this file."""
    text = str(path.resolve().relative_to(folder))
    if "$" in text or text.startswith("~"):
        # A pattern that only this name meets.
        text = re.sub(r"[$~]", r"[\g<0>]", glob.escape(text))
    return quoted(text)


def quoted(text: str) -> str:
    """Return `text` as a YAML scalar that is read back as the same text."""
    plain = _PLAIN.fullmatch(text) and text.lower() not in _RESERVED
    return text if plain else json.dumps(text, ensure_ascii=False)
