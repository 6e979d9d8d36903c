"""Files that appear whole or not at all, and the few formats that stages hand over."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any, cast

from graphrec.core.errors import ArtifactError
from graphrec.core.types import JSON


def write_text(path: Path, text: str) -> None:
    """Write `text` by rename, so that a reader sees the old file or the new one, never a part."""
    part = path.with_name(f".{path.name}.part")
    with part.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as JSON by rename; equal values give equal bytes."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> JSON:
    """Read a JSON mapping; raise `ArtifactError` when it is missing or broken."""
    return cast(JSON, _read(path))


def read_records(path: Path) -> list[JSON]:
    """Read a JSON list of records; raise `ArtifactError` when it is missing or broken."""
    return cast(list[JSON], _read(path))


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ArtifactError(f"{path}: no such file; run the stage that writes it") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ArtifactError(f"{path}: not valid JSON ({error}); delete it and run again") from None
