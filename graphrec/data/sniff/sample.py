"""The first look into a file: how it is written, what its columns are called, and some of its rows."""

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path

import polars as pl
from polars.exceptions import PolarsError

from graphrec.core.errors import DataError
from graphrec.data.files.textfile import json_object, lines
from graphrec.data.sniff.names import names_role

ROWS = 200_000
"""Most rows that are read of one file."""

ATOMIC = (".inter", ".item", ".user", ".kg", ".link", ".net")
"""Suffixes of RecBole's atomic files."""

_GRAPHS = (".pt", ".bin")
_PROSE = (".md", ".pdf", ".html", ".yaml", ".yml", ".py", ".ipynb")
_MAX_BYTES = 64 * 2**20
_SLICES = 10
_SEPARATORS = ("\t", ",", ";", "|", "::", " ")
_NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*")
_ARRAY = re.compile(r"\s*\[\s*[\[{]")
_TYPED = re.compile(r"[^:]+:(token|float|token_seq|float_seq)")


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Some rows of one file.

    `form` is parquet, csv, tsv, jsonl, atomic (RecBole), lists (lines of a user and its items), graph,
    or unknown, with `why`. `separator` and `header` are those of delimited text; a file without header
    has columns c1, c2 and so on. `why` also names what the readers will refuse in a file that was read.
    `parts` are the files of a table whose `path` is a pattern.
    """

    path: Path
    form: str
    frame: pl.DataFrame = field(default_factory=pl.DataFrame)
    separator: str = ""
    header: bool = True
    whole: bool = True
    why: str = ""
    parts: tuple[Path, ...] = ()

    @property
    def files(self) -> tuple[Path, ...]:
        """Return the files that hold the table: the parts where `path` is a pattern, else the one file."""
        return self.parts or (self.path,)

    @property
    def stem(self) -> str:
        """Return the file's name without its suffixes."""
        return stem(self.path)


def stem(path: Path) -> str:
    """Return a file's name without its suffixes."""
    return path.name.split(".")[0]


def read_samples(paths: Sequence[Path]) -> list[Sample]:
    """Read a sample of each file, and of the files of each folder; raise `DataError` where there is none."""
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise DataError(f"{path}: no such file or folder")
        inside = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        found += [p for p in inside if path.is_file() or (not p.name.startswith((".", "_")) and not _is_prose(p))]
    if not found:
        raise DataError(f"{', '.join(map(str, paths))}: the folder has no files")
    return [read_sample(path) for path in dict.fromkeys(found)]


def read_sample(path: Path) -> Sample:
    """Read a sample of one file; what cannot be read comes back as `unknown`, with the reason."""
    if path.suffix in _GRAPHS:
        return Sample(path=path, form="graph")
    try:
        with path.open("rb") as file:
            if file.read(4) == b"PAR1":
                return _parquet(path)
        return _text(path)
    except csv.Error as error:
        return Sample(
            path=path, form="unknown", why=f"has a line that is no row of a table ({error}); write one row a line"
        )
    except (OSError, PolarsError, UnicodeDecodeError, EOFError) as error:
        return Sample(path=path, form="unknown", why=f"cannot be read: {str(error).splitlines()[0][:120]}")


def _is_prose(path: Path) -> bool:
    return path.suffix.lower() in _PROSE or stem(path).lower().startswith(("readme", "license"))


def _parquet(path: Path) -> Sample:
    # Brackets in a name are no pattern.
    frame = pl.scan_parquet(path, glob=False)
    num = frame.select(pl.len()).collect().item()
    if num <= ROWS:
        return Sample(path=path, form="parquet", frame=frame.collect())
    # Tables are often sorted by domain or time: slices from all over show more than the first rows.
    size = ROWS // _SLICES
    starts = [part * (num - size) // (_SLICES - 1) for part in range(_SLICES)]
    rows = pl.concat([frame.slice(start, size) for start in starts]).collect()
    return Sample(path=path, form="parquet", frame=rows, whole=False)


def _text(path: Path) -> Sample:
    taken, size = [], 0
    for line in islice(lines(path), ROWS + 1):
        taken.append(line)
        size += len(line)
        if size > _MAX_BYTES:
            break
    whole = len(taken) <= ROWS and size <= _MAX_BYTES
    text = b"".join(taken).decode("utf-8-sig")
    # Only these end a line: splitlines would cut at U+2028 too, which text may hold.
    rows = [row for row in text.replace("\r\n", "\n").split("\n") if row.strip()]
    wrong = _refused(path, rows, taken)
    if wrong:
        return Sample(path=path, form="unknown", why=wrong)
    if rows[0].lstrip().startswith("{"):
        return _json(path, rows, whole=whole)
    rows = rows if whole else _closed(rows)
    separator = _separator(rows[:200])
    if separator == "lists":
        return Sample(path=path, form="lists", separator=" ", header=False, whole=whole, frame=_lists(rows))
    if not separator:
        return Sample(path=path, form="unknown", why="has lines that no separator cuts into the same number of columns")
    return _delimited(path, rows, separator, whole=whole)


def _refused(path: Path, rows: list[str], taken: list[bytes]) -> str:
    """Return why the readers will refuse the file by its first lines, and what to do; empty if they will not."""
    if not rows:
        return "is empty"
    if _ARRAY.match(rows[0]) or rows[0].strip() == "[":
        return "is one JSON array; write one object per line (JSON lines)"
    if "\r" in rows[0]:
        return "has lines that end with a lone carriage return; save it with Unix or Windows line ends"
    if rows[0].lstrip().startswith("{"):
        try:
            json_object(path, 1, taken[0])
        except DataError as error:
            return str(error).removeprefix(f"{path}: ")
    return ""


def _closed(rows: list[str]) -> list[str]:
    """Leave out the last lines of a cut file if they are the beginning of a quoted field."""
    if sum(row.count('"') for row in rows) % 2 == 0:
        return rows
    last = max(place for place, row in enumerate(rows) if row.count('"') % 2)
    return rows[:last]


def _json(path: Path, rows: list[str], *, whole: bool) -> Sample:
    frame = pl.read_ndjson(io.StringIO("\n".join(rows)), infer_schema_length=1000, ignore_errors=True)
    if frame.height < 2 and frame.width > 20:
        return Sample(path=path, form="unknown", why="is one JSON object, not one a line")
    return Sample(path=path, form="jsonl", frame=frame, whole=whole)


def _separator(rows: list[str]) -> str:
    """Return what cuts all lines into the same number of columns, more than one; "lists" for KGAT's lines."""
    best, most = "", 1
    for separator in _SEPARATORS:
        widths = Counter(len(cells) for cells in _records(rows, separator))
        width, often = widths.most_common(1)[0]
        # Text may hold a stray separator; a space must part a number at the end, or every sentence is a table.
        prose = separator == " " and not all(_NUMBER.fullmatch(row.split()[-1]) for row in rows[1:])
        wider = width > most and not (best in ("\t", " ") or (separator == " " and best))
        if wider and often >= 0.98 * widths.total() and not prose:
            best, most = separator, width
    numbers = all(cell.isdigit() for row in rows[:50] for cell in row.split())
    if not best and numbers and any(len(row.split()) > 1 for row in rows):
        return "lists"
    return best


def _records(rows: list[str], separator: str) -> list[list[str]]:
    """Return the cells of each row; a row may go on over several lines within quotes, if that gives equal rows."""
    single = [_cells(row, separator) for row in rows]
    if len(separator) > 1 or separator == " " or len({len(cells) for cells in single}) == 1:
        return single
    # The last row may be cut.
    joined = list(csv.reader(io.StringIO("\n".join(rows), newline=""), delimiter=separator))[:-1]
    return joined if len(joined) > 1 and len({len(cells) for cells in joined}) == 1 else single


def _cells(row: str, separator: str) -> list[str]:
    if len(separator) > 1:
        return row.split(separator)
    return next(csv.reader([row], delimiter=separator), [])


def _lists(rows: list[str]) -> pl.DataFrame:
    pairs = [(cells[0], item) for row in rows if (cells := row.split()) for item in cells[1:]]
    return pl.DataFrame(pairs, schema={"user": pl.String, "item": pl.String}, orient="row")


def _delimited(path: Path, rows: list[str], separator: str, *, whole: bool) -> Sample:
    first = _cells(rows[0], separator)
    bodies = [cells for cells in _records(rows[:200], separator)[1:] if len(cells) == len(first)]
    header = _is_header([cell.strip() for cell in first], bodies)
    doubled = sorted({name for name in first if name and first.count(name) > 1})
    if header and doubled:
        why = f"has the column {doubled[0]} twice in its header; rename one"
        return Sample(path=path, form="unknown", why=why)
    # As the reader has them: blanks stay, and a column without a name is called by its place.
    mark = "column_" if header else "c"
    names = [cell if header and cell else f"{mark}{place}" for place, cell in enumerate(first, 1)]
    body = rows[1:] if header else rows
    schema, why = dict.fromkeys(names, pl.String), ""
    if len(separator) > 1:
        cut = [cells for row in body if len(cells := row.split(separator)) == len(names)]
        frame = pl.DataFrame(cut, schema=schema, orient="row")
    else:
        frame, why = _parsed("\n".join(body), separator, schema)
    bare = path.name.removesuffix(".gz").removesuffix(".zst")
    form = "atomic" if bare.endswith(ATOMIC) and header and all(map(_TYPED.fullmatch, first)) else _form(separator)
    return Sample(path=path, form=form, separator=separator, header=header, frame=frame, whole=whole, why=why)


def _parsed(text: str, separator: str, schema: dict[str, type[pl.String]]) -> tuple[pl.DataFrame, str]:
    """Read delimited text; where quotes do not pair up, they are taken for plain characters, and it is said."""
    read = partial(pl.read_csv, separator=separator, schema=schema, has_header=False, truncate_ragged_lines=True)
    try:
        return read(io.StringIO(text)), ""
    except PolarsError:
        return read(io.StringIO(text), quote_char=None), "has quotes inside fields; double them, or write it as parquet"


def _form(separator: str) -> str:
    return "tsv" if separator == "\t" else "csv"


def _is_header(first: list[str], bodies: list[list[str]]) -> bool:
    """Return whether the first line names columns: no numbers, no value that occurs below, and a reason to think so."""
    named = list(dict.fromkeys(filter(None, first)))
    if not named or _NUMBER.fullmatch(named[0]):
        return False
    if any(cell == body[place].strip() for body in bodies for place, cell in enumerate(first) if cell):
        return False
    # An empty name is that of pandas' index, or a comma at the end of each line.
    known = sum(any(names_role(cell, role) for role in _TELLING) for cell in named)
    numeric = [
        place for place in range(len(first)) if bodies and all(_NUMBER.fullmatch(body[place]) for body in bodies)
    ]
    return (
        known >= 2
        or any(first[place] and not _NUMBER.fullmatch(first[place]) for place in numeric)
        or (known == 1 and len(named) < 4)
    )


_TELLING = ("user", "item", "domain", "time", "rating", "head", "relation", "tail", "entity", "text", "label", "event")
