"""Lines of a text file as a column, for formats that are no tables: numbered, decoded, unpacked."""

from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl
from polars.exceptions import PanicException, PolarsError

from graphrec.core.errors import DataError
from graphrec.data.files.checks import Problems
from graphrec.data.files.scan import expand, home
from graphrec.data.files.textfile import json_object, lines

# A byte that no sane text holds, so that each line stays one field.
_NO_SEPARATOR = "\x01"


def find_file(folder: str, name: str, problems: Problems) -> Path | None:
    """Return the one file `name` in `folder`; where there is none, say so and return None."""
    try:
        found = expand(name, home(folder))
    except DataError as error:
        problems.catch(error)
        return None
    if len(found) > 1:
        problems.add(name, f"names {len(found)} files, expected one", do="name the file itself")
        return None
    return found[0]


def read_lines(path: Path, problems: Problems, fields: Sequence[str] = ()) -> pl.DataFrame:
    """Return the lines of `path` (plain, .gz, .zst; UTF-8) that are not blank: row (from 1), line (trimmed).

    With `fields`, each line is a JSON object, and these of its fields come as text instead of the line,
    null where the object lacks them. A file that is empty, damaged or no UTF-8 text is one more
    problem, and no lines.
    """
    schema = {"row": pl.UInt32, **dict.fromkeys(fields or ["line"], pl.String)}
    frame = pl.scan_csv(
        path,
        has_header=False,
        separator=_NO_SEPARATOR,
        quote_char=None,
        schema={"line": pl.String},
        raise_if_empty=False,
        row_index_name="row",
        row_index_offset=1,
        glob=False,
    )
    frame = frame.with_columns(pl.col("line").str.strip_chars()).filter(pl.col("line") != "")
    if fields:
        decoded = pl.col("line").str.json_decode(pl.Struct(dict.fromkeys(fields, pl.String)))
        frame = frame.select("row", decoded.struct.unnest())
    try:
        # In batches, so that the text of a long file is never held whole.
        kept = frame.collect(engine="streaming")
    except (OSError, PolarsError, PanicException) as error:
        problems.add(str(path), why_unreadable(path, error, _wrong_object if fields else _wrong_line))
        return pl.DataFrame(schema=schema)
    if not kept.height:
        problems.add(str(path), "the file is empty", do="leave it out or give one with lines")
    return kept


def why_unreadable(path: Path, error: Exception, wrong: Callable[[Path, int, bytes], str | None]) -> str:
    """Say what keeps `path` from being read: the first line that is `wrong` or no UTF-8, or a damaged file."""
    try:
        for number, line in enumerate(lines(path), start=1):
            try:
                line.decode()
            except UnicodeDecodeError as undecoded:
                return f"line {number}: byte {undecoded.start + 1} is not UTF-8; save the file as UTF-8 text"
            if (found := wrong(path, number, line)) is not None:
                return found
    except OSError:
        return "the file cannot be opened, or is packed and breaks off; fetch it again"
    return f"cannot be read: {str(error).splitlines()[0]}"


def _wrong_line(path: Path, number: int, line: bytes) -> str | None:
    return f"line {number}: holds the control character 0x01; remove it" if b"\x01" in line else None


def _wrong_object(path: Path, number: int, line: bytes) -> str | None:
    try:
        json_object(path, number, line)
    except DataError as error:
        return str(error).removeprefix(f"{path}: ")
    return _wrong_line(path, number, line)
