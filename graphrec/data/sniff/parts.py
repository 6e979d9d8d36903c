"""Files that are numbered parts of one table: part-00000.parquet, part-00001.parquet and so on."""

import glob
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl

from graphrec.data.sniff.columns import common
from graphrec.data.sniff.ids import counted_apart
from graphrec.data.sniff.names import names_role
from graphrec.data.sniff.sample import ROWS
from graphrec.data.sniff.tables import Guess, guess_kind

_ALIKE = 0.1
"""Parts of one table have at least this share of user or item ids in common."""


def joined_parts(guesses: Sequence[Guess]) -> list[Guess]:
    """Make one table of interactions of the parts of each, with a pattern for its path."""
    groups: dict[object, list[Guess]] = {}
    for guess in guesses:
        groups.setdefault(_key(guess), []).append(guess)
    return [made for key, group in groups.items() for made in (_joined(group) if key is not None else group)]


def _key(guess: Guess) -> object:
    """Return what parts of one table have in common: where they lie, their columns, their names without numbers."""
    sample = guess.sample
    name = re.sub(r"\d+", "0", sample.path.name)
    word = re.sub(r"[\W\d_]+", "_", sample.stem).strip("_")
    # domain1 and domain2 are no parts.
    if guess.kind != "interactions" or not re.search(r"\d", sample.path.name) or names_role(word, "domain"):
        return None
    ids = (guess.roles["user"], guess.roles["item"])
    columns = tuple(sample.frame.columns)
    return (sample.path.parent, name, sample.form, sample.header, sample.separator, columns, ids)


def _joined(group: list[Guess]) -> list[Guess]:
    pattern = _pattern([guess.sample.path for guess in group]) if len(group) > 1 else None
    if pattern is None or not _are_parts(group):
        return group
    first = group[0].sample
    rows = pl.concat([g.sample.frame.head(max(ROWS // len(group), 1)) for g in group], how="vertical_relaxed")
    whole = all(g.sample.whole for g in group) and rows.height == sum(g.sample.frame.height for g in group)
    parts = tuple(guess.sample.path for guess in group)
    made = guess_kind(replace(first, path=pattern, frame=rows, whole=whole, parts=parts))
    if made.kind != "interactions":
        return group
    note = f"{len(parts)} files with equal columns and common ids are taken for the parts of one table"
    return [replace(made, notes=(*made.notes, note))]


def _are_parts(group: Sequence[Guess]) -> bool:
    """Return whether the tables have ids in common that are no chance."""
    first = group[0]
    if any(g.sample.frame.schema != first.sample.frame.schema for g in group):
        return False
    keys = [g.sample.frame.select(g.roles[role] for role in ("user", "item", "time") if role in g.roles) for g in group]
    if any(key.columns != keys[0].columns for key in keys):
        return False
    # Folds of a cross-validation hold the same rows again and again; parts do not.
    if pl.concat(keys).n_unique() < 0.5 * sum(key.n_unique() for key in keys):
        return False
    columns = {role: {str(k): guess.column(role) for k, guess in enumerate(group)} for role in ("user", "item")}
    alike = all(max(common(first.column(r), g.column(r)) for r in columns) >= _ALIKE for g in group[1:])
    return alike and not counted_apart(columns["user"])


def _pattern(paths: Sequence[Path]) -> Path | None:
    """Return a pattern that these files of one folder meet and no others; None if there is none."""
    names = [path.name for path in paths]
    head = os.path.commonprefix(names).rstrip("0123456789")
    tail = os.path.commonprefix([name[len(head) :][::-1] for name in names])[::-1].lstrip("0123456789")
    folder = paths[0].parent
    met = {Path(name).name for name in glob.glob(f"{glob.escape(str(folder))}/{head}*{tail}")}
    return folder / f"{head}*{tail}" if met == set(names) and not re.search(r"[$~]", head + tail) else None
