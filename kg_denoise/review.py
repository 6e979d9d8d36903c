"""Which triples a person should look at next, as a table to fill in.

A label tells most where the probability is near one half, and a further label of the same relation or
entity tells less than the first. Rows are therefore taken by 4 p (1 - p) / sqrt(1 + rank in the relation),
a few per entity, the most informative first, so that a reviewer can stop at any row. Labels gathered so
are no random sample: they serve to learn from, not to measure by.
"""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from graphrec.core.files import write_text
from graphrec.core.types import BoolArray, FloatArray, IntArray
from graphrec.data.corrupt import triple_keys
from graphrec.data.dataset import Dataset, Triples
from kg_denoise.labels import COLUMNS, protected
from kg_denoise.ranks import rank_within

_SAID = 3
_LONGEST = 300


def informative(
    probability: FloatArray,
    triples: Triples,
    num_entities: int,
    num: int,
    *,
    per_entity: int = 2,
    skip: BoolArray | None = None,
) -> IntArray:
    """Return up to `num` rows of `triples` to label, the most informative first; equal triples come once.

    At most `per_entity` rows have the same head, or the same tail, unless too few are left then: the
    bound is doubled until `num` are found. `skip` [num_triples] marks rows that need no label.
    """
    first = np.unique(triple_keys(triples, num_entities), return_index=True)[1]
    rows = np.sort(first if skip is None else first[~skip[first]])
    p = probability[rows].astype(np.float64)
    doubt = 4 * p * (1 - p)
    relation, head, tail = triples.relation[rows], triples.head[rows], triples.tail[rows]
    gain = doubt / np.sqrt(1 + rank_within(relation, -doubt))
    order = np.argsort(-gain, kind="stable")
    place = np.empty(len(rows), dtype=np.int64)
    place[order] = np.arange(len(rows))
    crowd = np.maximum(rank_within(head, place), rank_within(tail, place))
    bound = per_entity
    while (crowd < bound).sum() < min(num, len(rows)):
        bound *= 2
    return rows[order[crowd[order] < bound][:num]]


def write_review(
    path: Path,
    dataset: Dataset,
    rows: IntArray,
    probability: FloatArray,
    text: Sequence[str],
    signals: Sequence[str],
    contributions: FloatArray,
) -> None:
    """Write one line per row of `rows`, with an empty column `label`, as CSV that spreadsheets read as text.

    `probability` is [num_triples], `text` [num_entities] describes the entities; `contributions`
    [len(rows), len(signals)] is what each signal adds to the log odds of each row.
    """
    triples, names = dataset.triples, dataset.entities
    heads, tails = (names.decode(ends[rows]).to_list() for ends in (triples.head, triples.tail))
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    for at, row in enumerate(rows.tolist()):
        cells = [heads[at], dataset.relations[int(triples.relation[row])], tails[at]]
        cells += [_short(text[int(end)]) for end in (triples.head[row], triples.tail[row])]
        cells += [f"{probability[row]:.3f}", _said(signals, contributions[at]), _said(signals, -contributions[at])]
        writer.writerow([protected(str(cell)) for cell in (*cells, "")])
    # Spreadsheets take a file for UTF-8 only by its byte order mark.
    write_text(path, "\ufeff" + file.getvalue())


def _said(signals: Sequence[str], amount: FloatArray) -> str:
    """Return the strongest signals with a positive amount, such as `text 1.3, schema 0.2`."""
    best = [int(index) for index in np.argsort(-amount, kind="stable")[:_SAID] if amount[index] >= 0.05]
    return ", ".join(f"{signals[index]} {amount[index]:.1f}" for index in best)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 3]}..."
