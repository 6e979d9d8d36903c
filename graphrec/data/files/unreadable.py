"""Why a file cannot be read: the second look, line by line, once a fast reader has given up."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from graphrec.core.errors import DataError
from graphrec.data.config import TableFile
from graphrec.data.files.textfile import head_line, json_object, lines, not_utf8, separator_of


def why_unreadable(paths: Sequence[Path], form: str, options: TableFile, error: BaseException) -> str:
    """Return one line on why `paths` cannot be read: the file, the line and what to do, as far as can be found."""
    if isinstance(error, PermissionError):
        return f"{error.filename or paths[0]}: permission denied; make the file readable"
    for path in paths:
        reason = _parquet_reason(path) if form == "parquet" else _text_reason(path, form, options)
        if reason:
            return reason if reason.startswith(str(path)) else f"{path}: {reason}"
    return f"{paths[0]}: cannot be read: {(str(error).strip() or type(error).__name__).splitlines()[0]}"


def _parquet_reason(path: Path) -> str | None:
    with path.open("rb") as stream:
        start = stream.read(4)
        stream.seek(max(path.stat().st_size - 4, 0))
        end = stream.read(4)
    if start != b"PAR1":
        return "is no parquet file; set format: to what it is"
    if end != b"PAR1":
        return "the parquet file breaks off (its footer is missing); copy or write it again"
    try:
        pl.scan_parquet(path, glob=False).select(pl.all().null_count()).collect(engine="streaming")
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException):
        return "the parquet file is damaged; copy or write it again"
    return None


def _text_reason(path: Path, form: str, options: TableFile) -> str | None:
    try:
        if form in ("csv", "tsv"):
            return _table_reason(path, form, options)
        for number, line in enumerate(lines(path), 1):
            if form == "jsonl":
                json_object(path, number, line)
    except DataError as found:
        return str(found)
    except OSError:
        return "the packed file breaks off or is damaged; copy or pack it again"
    return None


def _table_reason(path: Path, form: str, options: TableFile) -> str | None:
    """Walk a csv or tsv file to the first line that is not UTF-8, has too many fields or an open quote."""
    separator = separator_of(options, form)
    head = head_line(path, options, separator)
    # Python's reader is slow and strict: it runs only after the fast one has failed, and names the line.
    rows = csv.reader(
        _decoded(path, head.skip),
        delimiter=separator[0],
        strict=True,
        quoting=csv.QUOTE_MINIMAL if options.quotes else csv.QUOTE_NONE,
    )
    before = 0
    try:
        for fields in rows:
            if len(separator) == 1 and len(fields) > len(head.names):
                return (
                    f"line {head.skip + before + 1} has {len(fields)} fields, expected {len(head.names)}; "
                    "put quotes around a field that holds the separator"
                )
            before = rows.line_num
    except csv.Error:
        return (
            f"line {head.skip + before + 1} has a quote that does not enclose a whole field; "
            'write "" for a quote inside a quoted field'
        )
    if not options.quotes:
        return None
    odd = next((number for number, line in enumerate(lines(path), 1) if line.count(b'"') % 2), None)
    return f"line {odd} has an odd number of quotes; close the quoted field" if odd else None


def _decoded(path: Path, skip: int) -> Iterator[str]:
    for number, line in enumerate(lines(path), 1):
        try:
            text = line.decode()
        except UnicodeDecodeError:
            raise DataError(f"{path}: {not_utf8(number, line)}") from None
        if number > skip:
            yield text
