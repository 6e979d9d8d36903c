"""Files to lazy tables: where they lie, how they are written, and one clear error where they cannot be read.

Parquet keeps its types. Columns of text formats are String, so that 007 survives; in JSON lines, columns
that hold whole numbers only are Int64, exact above 2^53. Nothing is read into memory but first lines.
"""

import difflib
import glob
import os
import re
from collections.abc import Sequence
from pathlib import Path

import polars as pl
from polars.exceptions import PanicException, PolarsError

from graphrec.core.errors import DataError
from graphrec.data.config import FORMATS, TableFile
from graphrec.data.files.checks import quoted
from graphrec.data.files.textfile import head_line, json_schema, open_bytes, separator_of
from graphrec.data.files.unreadable import why_unreadable

_SUFFIXES = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}
_PACKED = (".gz", ".zst")


def home(folder: str) -> Path:
    """Return `folder` with $NAME and ~ expanded; raise `DataError` naming a variable that is not set."""
    unset = [name for name in re.findall(r"\$\{?(\w+)", folder) if name not in os.environ]
    if unset:
        raise DataError(f"folder {folder!r}: the environment variable {unset[0]} is not set; set it or write the path")
    return Path(os.path.expandvars(folder)).expanduser()


def expand(path: str, folder: Path) -> list[Path]:
    """Return the files that `path`, relative to `folder`, names: one file, the parts in a folder, or a pattern's.

    Sorted by path; hidden files and those that start with _ are no parts. Raises `DataError` with the
    nearest names that exist when nothing is found.
    """
    full = folder / home(path)
    if full.is_file():
        return [full]
    if full.is_dir():
        found = sorted(part for part in full.rglob("*") if part.is_file() and _is_part(part.relative_to(full)))
        if not found:
            raise DataError(f"{full}: the folder has no files")
        return found
    found = sorted(Path(name) for name in glob.glob(str(full), recursive=True) if Path(name).is_file())
    if not found:
        raise DataError(f"{full}: {_absent(full)}; relative paths start from {folder}")
    return found


def scan(
    paths: Sequence[Path],
    options: TableFile,
    *,
    columns: Sequence[str] | None = None,
    text: Sequence[str] = (),
    row: str | None = None,
    path: str | None = None,
) -> pl.LazyFrame:
    """Return the table in `paths` lazily, its rows in input order; the parts must agree in columns.

    `columns` keeps only these. Rows of csv and tsv in which all of them are empty are blank lines, and
    dropped. `text` names columns that are String even where JSON lines have numbers. `row` adds a
    column of row numbers, counted from 1 without the header, blank lines of csv and tsv included; `path` one
    of the file that each row is from.
    Raises `DataError` on files that cannot be opened and on headers that make no table.
    """
    form = file_format(paths, options)
    for part in paths:
        _check_opens(part)
    try:
        frame = _SCANS[form](paths, options, text, path)
        names = [name for name in frame.collect_schema().names() if name != path]
    except (OSError, PolarsError, PanicException) as error:
        raise DataError(why_unreadable(paths, form, options, error)) from None
    if row is not None:
        frame = frame.with_row_index(row, offset=1)
    if columns is not None:
        frame = frame.select(*(name for name in (row, path) if name is not None), *columns)
    used = names if columns is None else list(columns)
    if form in ("csv", "tsv") and used:
        # A blank line comes as empty strings; of JSON lines Polars leaves blank ones out.
        frame = frame.filter(~pl.all_horizontal(pl.col(name).fill_null("") == "" for name in used))
    return frame


def collect(frame: pl.LazyFrame, paths: Sequence[Path], options: TableFile) -> pl.DataFrame:
    """Collect what was made of `scan(paths, options)`, streaming; raise `DataError` where a file breaks off or lies."""
    try:
        return frame.collect(engine="streaming")
    except (OSError, PolarsError, PanicException) as error:
        raise DataError(why_unreadable(paths, file_format(paths, options), options, error)) from None


def file_format(paths: Sequence[Path], options: TableFile) -> str:
    """Return the one format of `paths`: `options.format`, else what their suffixes say."""
    if options.format is not None:
        return options.format
    forms = {path: _by_suffix(path) for path in paths}
    for path, form in forms.items():
        if form is None:
            raise DataError(f"{path}: the suffix tells no format; set format: to one of {', '.join(FORMATS)}")
    first, kinds = paths[0], set(forms.values())
    if len(kinds) > 1:
        other = next(path for path in paths if forms[path] != forms[first])
        raise DataError(f"{first} and {other.name} are of different formats; give each format a table of its own")
    return str(forms[first])


def _by_suffix(path: Path) -> str | None:
    bare = path.with_suffix("") if path.suffix.lower() in _PACKED else path
    return _SUFFIXES.get(bare.suffix.lower())


def _is_part(relative: Path) -> bool:
    return not any(name.startswith((".", "_")) for name in relative.parts)


def _absent(full: Path) -> str:
    """Say what is missing: the first folder of the path that does not exist, or the name in it."""
    missing = full
    while not missing.parent.exists() and missing.parent != missing:
        missing = missing.parent
    if not missing.parent.is_dir():
        return f"no such file ({missing.parent} is no folder)"
    there = sorted(entry.name for entry in missing.parent.iterdir() if not entry.name.startswith("."))
    close = difflib.get_close_matches(missing.name, there, n=3, cutoff=0.5) or there[:5]
    kind = "no such file" if missing == full else f"no such file (no folder {missing.name!r})"
    return f"{kind}; {missing.parent.name or missing.parent} has {', '.join(close) if close else 'nothing in it'}"


def _check_opens(path: Path) -> None:
    """Raise `DataError` when a file cannot be opened or is empty."""
    try:
        with open_bytes(path) as stream:
            if not stream.read(1):
                raise DataError(f"{path}: the file is empty")
    except OSError as error:
        raise DataError(why_unreadable([path], "", TableFile(path=str(path)), error)) from None


def _scan_parquet(paths: Sequence[Path], options: TableFile, text: Sequence[str], name: str | None) -> pl.LazyFrame:
    schemas = [_parquet_schema(path) for path in paths]
    for path, schema in zip(paths, schemas, strict=True):
        _check_agree(paths[0], list(schemas[0]), path, list(schema), ordered=False)
    if all(schema == schemas[0] for schema in schemas):
        return pl.scan_parquet(list(paths), hive_partitioning=False, glob=False, include_file_paths=name)
    types = {column: _common(column, [schema[column] for schema in schemas], paths) for column in schemas[0]}
    casts = [pl.col(column).cast(dtype) for column, dtype in types.items()]
    parts = [pl.scan_parquet(path, hive_partitioning=False, glob=False).select(casts) for path in paths]
    return pl.concat([_named(part, path, name) for part, path in zip(parts, paths, strict=True)])


def _parquet_schema(path: Path) -> dict[str, pl.DataType]:
    try:
        return dict(pl.scan_parquet(path, hive_partitioning=False, glob=False).collect_schema())
    except (OSError, PolarsError, PanicException) as error:
        raise DataError(why_unreadable([path], "parquet", TableFile(path=str(path)), error)) from None


def _common(name: str, types: Sequence[pl.DataType], paths: Sequence[Path]) -> pl.DataType:
    """One type for a column of several parts: numbers widen, a part of nulls follows the others."""
    wanted = next((dtype for dtype in types if dtype != pl.Null), pl.Null())
    numeric = all(dtype.is_numeric() or dtype == pl.Null for dtype in types)
    for path, dtype in zip(paths, types, strict=True):
        if not numeric and dtype not in (pl.Null, wanted):
            raise DataError(
                f"{path}: column {name!r} is {dtype}, but {wanted} in other parts; write all parts with one type"
            )
    empty = [pl.DataFrame(schema={name: dtype}) for dtype in types]
    return pl.concat(empty, how="vertical_relaxed").schema[name]


def _scan_delimited(paths: Sequence[Path], options: TableFile, text: Sequence[str], name: str | None) -> pl.LazyFrame:
    separator = separator_of(options, file_format(paths, options))
    heads = [head_line(path, options, separator) for path in paths]
    first = heads[0]
    for path, head in zip(paths, heads, strict=True):
        _check_agree(paths[0], first.names, path, head.names, ordered=True)
        if head.skip != first.skip:
            raise DataError(f"{path}: blank lines before its first line, unlike {paths[0].name}; remove them")
    if len(separator) > 1:
        parts = [_split_lines(path, first.names, first.skip, separator) for path in paths]
        return pl.concat([_named(part, path, name) for part, path in zip(parts, paths, strict=True)])
    return pl.scan_csv(
        list(paths),
        separator=separator,
        quote_char='"' if options.quotes else None,
        has_header=False,
        skip_lines=first.skip,
        schema={column: pl.String() for column in first.names},
        # An empty field stays an empty string: only what the file leaves out may be null.
        empty_string_is_null=False,
        raise_if_empty=False,
        # Polars counts the fields of the first row, which may be blank or too short.
        missing_columns="insert",
        glob=False,
        include_file_paths=name,
    )


def _split_lines(path: Path, names: Sequence[str], skip: int, separator: str) -> pl.LazyFrame:
    """A separator of several characters, such as ::, which no csv parser takes; quotes mean nothing there."""
    lines = pl.scan_lines(path, glob=False).slice(skip)
    parts = pl.col("line").str.strip_chars_end("\r").str.split_exact(separator, len(names) - 1)
    return lines.select(parts.struct.rename_fields(list(names)).struct.unnest())


def _named(part: pl.LazyFrame, path: Path, name: str | None) -> pl.LazyFrame:
    """Add the column `name` with the path, where it is asked for."""
    return part if name is None else part.with_columns(pl.lit(str(path)).alias(name))


def _scan_json(paths: Sequence[Path], options: TableFile, text: Sequence[str], name: str | None) -> pl.LazyFrame:
    schema: dict[str, pl.DataType] = {}
    for path in paths:
        for key, dtype in json_schema(path).items():
            # Keys may differ between lines and parts; types that differ fall back to text.
            schema[key] = dtype if schema.get(key, dtype) == dtype else pl.String()
    schema |= {key: pl.String() for key in text}
    # This scan cannot be told that [ and * in a path stand for themselves.
    return pl.scan_ndjson([glob.escape(str(path)) for path in paths], schema=schema, include_file_paths=name)


def _check_agree(first: Path, names: Sequence[str], path: Path, others: Sequence[str], *, ordered: bool) -> None:
    if (list(names) if ordered else set(names)) != (list(others) if ordered else set(others)):
        raise DataError(
            f"{path}: its columns {quoted(others, 12)} are not those of {first.name}, "
            f"{quoted(names, 12)}; parts of one table must agree"
        )


_SCANS = {"parquet": _scan_parquet, "csv": _scan_delimited, "tsv": _scan_delimited, "jsonl": _scan_json}
