"""Labels that a person gave: read back from a review file, matched to the triples.

A spreadsheet runs a cell that starts like a formula, and texts come from anywhere. Such cells are written
with an apostrophe in front, as are those that start with one, so that reading takes exactly one away.
"""

import csv
import io
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from graphrec.core.errors import DataError
from graphrec.core.ids import IdMap
from graphrec.core.types import IntArray
from graphrec.data.corrupt import triple_keys
from graphrec.data.dataset import Dataset, Triples

logger = logging.getLogger("graphrec")

COLUMNS = ("head", "relation", "tail", "head_text", "tail_text", "probability", "spoke_for", "spoke_against", "label")
"""Columns of a review file; `head`, `relation`, `tail` and `label` are read back, in any order."""

_READ = ("head", "relation", "tail", "label")
_ANSWERS = {"1": 1, "true": 1, "yes": 1, "0": 0, "false": 0, "no": 0}
_SEPARATORS = ",;\t"
_RISKY = ("=", "+", "-", "@", "\t", "\r", "\n", "'")
_SHOWN = 3


def protected(cell: str) -> str:
    """Return `cell` such that no spreadsheet takes it for a formula; `restored` undoes it."""
    return f"'{cell}" if cell.startswith(_RISKY) else cell


def restored(cell: str) -> str:
    """Return what `protected` was given."""
    return cell.removeprefix("'")


def read_labels(path: Path, dataset: Dataset) -> NDArray[np.int8]:
    """Return the label of every triple of `dataset`, `[num_triples]`: 1 true, 0 wrong, -1 not labelled.

    A label is 1, true or yes; 0, false or no; or empty. Rows that name no triple of the data are
    counted in a warning. Raises `DataError`, naming the lines, on a file that is not UTF-8 text, lacks
    a column, or has other labels or two that contradict each other.
    """
    given = list(_labelled(path))
    head, tail = (_entities(dataset.entities, [getattr(row, end) for row in given]) for end in ("head", "tail"))
    place = {name: index for index, name in enumerate(dataset.relations)}
    relation = np.array([place.get(row.relation, -1) for row in given], dtype=np.int64)
    known, num = (head >= 0) & (tail >= 0) & (relation >= 0), len(dataset.entities)
    asked = Triples(head=head, relation=relation, tail=tail, confidence=np.ones(len(given), dtype=np.float32))
    keys, table = triple_keys(asked, num), triple_keys(dataset.triples, num)
    known &= np.isin(keys, table)
    rows = {
        found: [row for row, one in zip(given, known.tolist(), strict=True) if one == found] for found in (True, False)
    }
    _warn(path, given, rows[False])
    _agree(path, rows[True], keys[known])
    # A last key that no triple has takes what is beyond the others.
    values, first = np.unique(np.append(keys[known], np.iinfo(np.int64).max), return_index=True)
    label = np.array([row.label for row in rows[True]] + [-1], dtype=np.int8)[first]
    at = np.searchsorted(values, table)
    result: NDArray[np.int8] = np.where(values[at] == table, label[at], np.int8(-1))
    return result


@dataclass(frozen=True)
class _Row:
    """One labelled line of a review file."""

    line: int
    head: str
    relation: str
    tail: str
    label: int


def _labelled(path: Path) -> Iterator[_Row]:
    """Yield the lines that have a label; raise one `DataError` about all that are wrong."""
    lines, separator, header = _opened(path)
    reader, bad = csv.reader(lines, delimiter=separator, strict=True), []
    try:
        next(reader)
        for cells in reader:
            row = dict(zip(header, cells, strict=False))
            answer = row.get("label", "").strip().lower()
            if len(cells) > len(header) or (answer and not set(_READ) <= set(row)):
                bad.append(f"line {reader.line_num}: {len(cells)} cells, expected {len(header)}")
            elif answer and answer not in _ANSWERS:
                bad.append(f"line {reader.line_num}: label {row['label']!r}")
            elif answer and not bad:
                head, relation, tail = (restored(row[name]) for name in _READ[:3])
                yield _Row(reader.line_num, head, relation, tail, _ANSWERS[answer])
    except csv.Error as error:
        raise DataError(f"{path}: line {reader.line_num}: not valid CSV ({error})") from None
    if bad:
        raise DataError(
            f"{path}: {'; '.join(bad[:_SHOWN])}{f' and {len(bad) - _SHOWN} more' if len(bad) > _SHOWN else ''}; "
            "a label is 1, true or yes, 0, false or no, or empty"
        )


def _opened(path: Path) -> tuple[list[str], str, list[str]]:
    """Return the lines, the separator and the column names of a review file."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{path}: not UTF-8 text; save it from the spreadsheet as `CSV UTF-8`") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from None
    lines = list(io.StringIO(text, newline=""))
    for separator in _SEPARATORS:
        header = [name.strip().strip('"') for name in (lines[0] if lines else "").split(separator)]
        if set(_READ) <= set(header):
            return lines, separator, header
    raise DataError(f"{path}: line 1: expected the columns {', '.join(_READ)}, separated by a comma, semicolon or tab")


def _entities(ids: IdMap, names: Sequence[str]) -> IntArray:
    column = pl.Series(ids.kind, names, dtype=pl.String)
    return ids.find(column.cast(ids.table.schema["id"], strict=False))


def _warn(path: Path, given: Sequence[_Row], unknown: Sequence[_Row]) -> None:
    if not given:
        logger.warning("%s: no line has a label yet", path)
    if unknown:
        first = "; ".join(f"line {r.line}: {r.head}, {r.relation}, {r.tail}" for r in unknown[:_SHOWN])
        logger.warning(
            "%s: %d of %d labels are about triples that the data do not have, and are ignored (%s); "
            "spreadsheets change long numbers and leading zeros unless the columns are text",
            path,
            len(unknown),
            len(given),
            first,
        )


def _agree(path: Path, rows: Sequence[_Row], keys: IntArray) -> None:
    seen: dict[int, _Row] = {}
    for row, key in zip(rows, keys.tolist(), strict=True):
        other = seen.setdefault(key, row)
        if other.label != row.label:
            raise DataError(f"{path}: lines {other.line} and {row.line} label one triple both true and wrong; keep one")
