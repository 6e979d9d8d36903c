"""Scalars and paths of the YAML that is written."""

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
    return Path(os.path.commonpath(parents))


def path_in(path: Path, folder: Path) -> str:
    """Return `path` as seen from `folder`, as a scalar."""
    return quoted(str(path.resolve().relative_to(folder)))


def quoted(text: str) -> str:
    """Return `text` as a YAML scalar that is read back as the same text."""
    plain = _PLAIN.fullmatch(text) and text.lower() not in _RESERVED
    return text if plain else json.dumps(text, ensure_ascii=False)
