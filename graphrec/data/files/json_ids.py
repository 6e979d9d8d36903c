"""Ids in JSON lines as they are written: the fast reader turns 1.0, true and objects into text without a word."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import polars as pl

from graphrec.data.config import TableFile
from graphrec.data.files.checks import SHOWN, Problems, named_row
from graphrec.data.files.scan import collect
from graphrec.data.files.textfile import json_object

_LINES = 100_000


def check_json_ids(
    paths: Sequence[Path], options: TableFile, names: Sequence[str], where: str, problems: Problems
) -> None:
    """Note the first ids in the columns `names` that are neither text nor whole numbers, or broken text."""
    wrong: dict[str, list[int | str]] = {name: [] for name in names}
    broken: dict[str, list[int | str]] = {name: [] for name in names}
    for path, number, row in _suspects(paths, options, names):
        for name in names:
            _sort(row.get(name), number, path.name if len(paths) > 1 else "", wrong[name], broken[name])
        # A whole file of such ids need not be read to its end.
        if any(len(rows) >= SHOWN for rows in (*wrong.values(), *broken.values())):
            break
    for name in names:
        if wrong[name]:
            text = f"column {name!r}: ids that are neither text nor whole numbers"
            problems.add(where, text, wrong[name], do="write them as text or whole numbers, or name the column of ids")
        if broken[name]:
            text = f"column {name!r}: text with a broken character (half of a surrogate pair)"
            problems.add(where, text, broken[name], do="write the file again as UTF-8")


def _sort(value: object, number: int, part: str, wrong: list[int | str], broken: list[int | str]) -> None:
    """Put a row into the list of what is the matter with its id, if anything is."""
    if isinstance(value, (bool, float, list, dict)):
        wrong.append(named_row(number, value, part=part))
    elif isinstance(value, str) and any("\ud800" <= sign <= "\udfff" for sign in value):
        broken.append(named_row(number, value, part=part))


def _suspects(
    paths: Sequence[Path], options: TableFile, names: Sequence[str]
) -> Iterator[tuple[Path, int, Mapping[str, object]]]:
    """Yield file, number and object of lines that may have a wrong id: a pattern finds them many times faster."""
    keys = "|".join(pl.escape_regex(name) for name in names)
    value = r'(?:-?\d+[.eE]|[tf\[{]|"(?:[^"\\]|\\.)*\\u[dD][89a-fA-F])'
    # A key may be written with escapes too: such lines are looked at one by one.
    pattern = rf'"(?:{keys})"\s*:\s*{value}|\\u[0-9a-fA-F]{{4}}[^"]*"\s*:'
    for path in paths:
        lines = pl.scan_lines(path, glob=False).with_row_index("number", offset=1)
        found = lines.filter(pl.col("line").str.contains(pattern))
        start = 0
        while (some := collect(found.slice(start, _LINES), [path], options)).height:
            for number, line in some.iter_rows():
                yield path, number, json_object(path, number, line.encode())
            start += _LINES
