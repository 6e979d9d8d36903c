"""What is looked at in files line by line: headers, separators, JSON objects."""

import codecs
import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO, cast

import polars as pl
import pyarrow as pa

from graphrec.core.errors import DataError
from graphrec.data.config import TableFile
from graphrec.data.files.checks import brief, quoted

SEPARATORS = {",": ",", ";": ";", "\t": "\\t", "|": "|"}
"""Separators that are guessed at, and how each is written in YAML."""

_SAMPLE_LINES = 10_000
_MAX_LINE = 1 << 24
_PACKED = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
_FOREIGN = {
    b"PAR1": "is a parquet file; set format: parquet",
    b"PK\x03\x04": "is a zip or Excel file; unpack it, or save the sheet as csv",
    b"BZh": "is compressed with bzip2; repack it with gzip or zstd",
    b"\xfd7zXZ": "is compressed with xz; repack it with gzip or zstd",
    codecs.BOM_UTF16_LE: "is UTF-16 text; save it as UTF-8",
    codecs.BOM_UTF16_BE: "is UTF-16 text; save it as UTF-8",
}


@dataclass(frozen=True)
class Head:
    """Column names of a text file and how many lines stand before its first row."""

    names: list[str]
    skip: int


@contextmanager
def open_bytes(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading, unpacked if its first bytes say gzip or zstd; raises `OSError`."""
    with path.open("rb") as plain:
        start = plain.read(4)
        plain.seek(0)
        # The first bytes tell more than the suffix, and Polars goes by them too.
        packed = next((name for magic, name in _PACKED.items() if start.startswith(magic)), None)
        if packed is None:
            yield cast(BinaryIO, plain)
            return
        with pa.CompressedInputStream(pa.PythonFile(plain, mode="r"), packed) as stream:
            yield cast(BinaryIO, io.BufferedReader(stream, 1 << 20))


def lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of a file, line ends included; raises `OSError` where a packed file breaks off."""
    with open_bytes(path) as stream:
        while line := stream.readline(_MAX_LINE):
            yield line


def separator_of(options: TableFile, form: str) -> str:
    """Return the column separator of a csv or tsv file."""
    given = (options.separator or "").replace("\\t", "\t")
    if given and ("\n" in given or "\r" in given or given == '"'):
        raise DataError(f"{options.path}: separator {given!r} cannot separate columns")
    if not given.isascii():
        raise DataError(f"{options.path}: separator {given!r}: use an ASCII character")
    return given or ("\t" if form == "tsv" else ",")


def head_line(path: Path, options: TableFile, separator: str) -> Head:
    """Return the column names of a csv or tsv file; raise `DataError` on a first line that cannot be right."""
    number, line = _first_line(path)
    fields = _fields(path, line, separator, options.quotes)
    if options.columns:
        _check_headless(path, fields, options, separator)
        return Head(list(options.columns), number - 1)
    _check_separator(path, fields, separator)
    # pandas writes its index below an empty name, which is no mistake.
    named = [name for name in fields if name]
    doubled = sorted({name for name in named if named.count(name) > 1})
    if doubled:
        # A header does not name two columns by one number.
        data = any(_is_number(name) for name in doubled)
        do = "if there is no header, name all columns with `columns`" if data else "rename one"
        raise DataError(f"{path}: column {quoted(doubled)} stands twice in the header; {do}")
    return Head([name or f"column_{k}" for k, name in enumerate(fields, 1)], number)


def json_schema(path: Path) -> dict[str, pl.DataType]:
    """Return column types of a JSON-lines file from its first 10,000 lines: Int64, Float64, Boolean, else String."""
    seen: dict[str, set[type]] = {}
    for number, line in enumerate(islice(lines(path), _SAMPLE_LINES), 1):
        for name, value in json_object(path, number, line).items():
            seen.setdefault(name, set()).add(_kind(value))
    if not seen:
        raise DataError(f"{path}: no line of it holds a JSON object with a key")
    return {name: _json_type(kinds - {type(None)}) for name, kinds in seen.items()}


def json_object(path: Path, number: int, line: bytes) -> dict[str, object]:
    """Return the object on one line ({} on a blank one); raise `DataError` naming the line otherwise."""
    if number == 1:
        _check_start(path, line)
        if line.startswith(codecs.BOM_UTF8):
            raise DataError(f"{path}: starts with a byte-order mark, which JSON lines may not; save it as plain UTF-8")
    if not line.strip():
        return {}
    try:
        # Decoded here: json guesses UTF-16 from NUL bytes.
        value = json.loads(line.decode(), parse_constant=_no_constant)
    except UnicodeDecodeError:
        raise DataError(f"{path}: {not_utf8(number, line)}") from None
    except (ValueError, RecursionError) as error:
        array = "; the file is one JSON array, write one object per line" if line.lstrip().startswith(b"[") else ""
        raise DataError(f"{path}: line {number} is no valid JSON ({str(error).split(':')[0]}){array}") from None
    if not isinstance(value, dict):
        raise DataError(f"{path}: line {number} holds {_json_name(value)}; each line must be one object {{...}}")
    return value


def not_utf8(number: int, line: bytes) -> str:
    """Return what to say of a line that is not UTF-8."""
    try:
        line.decode()
        raise AssertionError("the line is UTF-8")
    except UnicodeDecodeError as error:
        place = f"line {number}, byte {error.start + 1}"
        return (
            f"{place} (0x{line[error.start]:02X}) is not UTF-8, maybe latin-1; convert the file: "
            "iconv -f WINDOWS-1252 -t UTF-8"
        )


def _first_line(path: Path) -> tuple[int, bytes]:
    """Return the first line that is not blank and its number."""
    for number, line in enumerate(lines(path), 1):
        if number == 1:
            _check_start(path, line)
            line = line.removeprefix(codecs.BOM_UTF8)
        if line.strip():
            return number, line
    raise DataError(f"{path}: the file holds blank lines only")


def _check_start(path: Path, line: bytes) -> None:
    for magic, reason in _FOREIGN.items():
        if line.startswith(magic):
            raise DataError(f"{path}: {reason}")
    if b"\0" in line:
        raise DataError(f"{path}: line 1 holds NUL bytes; the file is binary or UTF-16, save it as UTF-8 text")


def _fields(path: Path, line: bytes, separator: str, quotes: bool) -> list[str]:
    try:
        text = line.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise DataError(f"{path}: {not_utf8(1, line)}") from None
    if "\r" in text:
        raise DataError(f"{path}: lines end with a lone carriage return; save it with Unix or Windows line ends")
    # Quotes mean nothing beside a separator of several characters.
    if len(separator) > 1 or not quotes:
        return text.split(separator)
    try:
        return next(csv.reader([text], delimiter=separator, strict=True))
    except (csv.Error, StopIteration):
        raise DataError(f"{path}: its first line has a quote that is not closed") from None


def _check_separator(path: Path, fields: Sequence[str], separator: str) -> None:
    if len(fields) > 1:
        return
    other = next((s for s in SEPARATORS if s != separator and s in fields[0]), None)
    if other is not None:
        raise DataError(f'{path}: one column only, {brief(fields[0])}; set separator: "{SEPARATORS[other]}"')


def _check_headless(path: Path, fields: Sequence[str], options: TableFile, separator: str) -> None:
    _check_separator(path, fields, separator)
    doubled = sorted({name for name in options.columns if options.columns.count(name) > 1})
    if doubled:
        raise DataError(f"{path}: columns: {quoted(doubled)} stands twice")
    if len(fields) != len(options.columns):
        shown = quoted(fields, 8)
        raise DataError(
            f"{path}: columns: names {len(options.columns)}, but the first line has {len(fields)} fields ({shown})"
        )
    if [name.strip().lower() for name in fields] == [name.strip().lower() for name in options.columns]:
        raise DataError(f"{path}: its first line is a header; leave `columns` out, or cut the line off")
    if _looks_like_names(path, fields, separator, options.quotes):
        shown = quoted(fields, 8)
        raise DataError(
            f"{path}: its first line ({shown}) looks like a header; leave `columns` out and name its columns, "
            "or cut the line off"
        )


def _looks_like_names(path: Path, fields: Sequence[str], separator: str, quotes: bool) -> bool:
    """Whether all fields of the first line are words, and stand above numbers, or ids such as u1, at least once."""
    words = all(name.strip().replace("_", "").replace(" ", "").isalpha() for name in fields)
    if not words or len(set(fields)) < len(fields):
        return False
    below = [_fields(path, line, separator, quotes) for line in islice(lines(path), 1, 10) if line.strip()]
    columns = list(zip(*below, strict=False))
    if any(all(_is_number(value) for value in column) for column in columns):
        return True
    # A few lines may have digits by chance, so more than two must.
    return len(below) > 2 and any(all(re.search(r"\d", value) for value in column) for column in columns)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _kind(value: object) -> type:
    # A number beyond 64 bits stays exact as text only.
    if isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**63:
        return str
    if isinstance(value, list):
        return list if all(isinstance(part, str) for part in value) else dict
    return type(value)


def _json_type(kinds: set[type]) -> pl.DataType:
    if kinds == {int}:
        return pl.Int64()
    if kinds and kinds <= {int, float}:
        return pl.Float64()
    if kinds == {bool}:
        return pl.Boolean()
    return pl.List(pl.String()) if kinds == {list} else pl.String()


def _json_name(value: object) -> str:
    names = {list: "an array", str: "text", bool: "a truth value", type(None): "null"}
    return names.get(type(value), "a number")


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON number")
