"""Cross-fitting: every triple is scored by a signal that has not seen it.

A signal that leaves out for itself gets one fold with the whole table. For any other, triples are
dealt into folds; it learns from all but one and scores that one. Held-out corruptions are dealt
alongside but never learnt from, so that they meet the signal exactly as a wrong triple of the
table does.
"""

from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from graphrec.core.progress import track
from graphrec.core.seeds import derive_seed, generator
from graphrec.core.tracking import Tracker
from graphrec.core.types import BoolArray, FloatArray, IntArray
from graphrec.core.workspace import Workspace
from graphrec.data.corrupt import take
from graphrec.data.dataset import Triples
from kg_denoise.evidence import Evidence
from kg_denoise.fold import Fold, Signal
from kg_denoise.rows import Rows


def deal(
    triples: Triples, corruptions: Triples, *, num_folds: int, num_entities: int, seed: int
) -> tuple[IntArray, IntArray]:
    """Return the fold of every triple and of every corruption.

    The triples of a head go round the folds, sorted by relation, from a fold drawn per head: a
    head keeps what it can in the other folds, and the tails of one relation part company. A
    corruption takes the next place after those of its head, as one more wrong triple would, or
    any place where its head is in all folds already.
    """
    rng, num = generator(seed, "folds"), len(triples)
    degree = np.bincount(triples.head, minlength=num_entities)
    before = np.cumsum(degree) - degree
    turn = rng.integers(num_folds, size=num_entities)
    place = np.empty(num, dtype=np.int64)
    place[np.lexsort((rng.random(num), triples.relation, triples.head))] = np.arange(num)
    own = (place - before[triples.head] + turn[triples.head]) % num_folds
    free, anywhere = degree[corruptions.head], rng.integers(num_folds, size=len(corruptions))
    return own, (np.where(free < num_folds, free, anywhere) + turn[corruptions.head]) % num_folds


def cross_fit(
    name: str,
    signal: Signal,
    rows: Rows,
    evidence: Evidence,
    *,
    num_folds: int,
    seed: int,
    workspace: Workspace,
    tracker: Tracker,
    asked: BoolArray | None = None,
    number: int = 1,
) -> FloatArray:
    """Return the scores of all rows in round `number`, `[len(rows), num_columns]`.

    NaN where the signal has nothing to go by.

    `asked` [len(rows)] restricts it to some rows; the others get NaN. Each finished fold is kept in
    `workspace`, so that a killed run goes on from there to the same numbers.
    """
    width, wanted = len(signal.columns(evidence)), np.ones(len(rows), dtype=np.bool_) if asked is None else asked
    score = np.full((len(rows), width), np.nan, dtype=np.float32)
    place = np.zeros(len(rows), dtype=np.int64) if signal.leaves_out else _dealt(rows, evidence, num_folds, seed)
    for index in track(range(1 if signal.leaves_out else num_folds), f"denoise, round {number}: {name}"):
        learnt = rows.context & (signal.leaves_out | (place != index))
        # A signal that leaves out has what it learns from in front, whatever is asked.
        front = np.flatnonzero(learnt) if signal.leaves_out else np.empty(0, dtype=np.int64)
        scored = np.concatenate([front, np.flatnonzero(wanted & (place == index) & ~(learnt & signal.leaves_out))])
        fold = Fold(
            index=index,
            number=number,
            train=take(rows.triples, learnt),
            asked=take(rows.triples, scored),
            own=learnt[scored],
            evidence=evidence,
            seed=derive_seed(seed, name, index),
            tracker=tracker,
        )
        score[scored] = _kept(signal, fold, width, workspace.path / f"{name}-{index}.safetensors")
    score[~wanted] = np.nan
    return score


def _dealt(rows: Rows, evidence: Evidence, num_folds: int, seed: int) -> IntArray:
    wrong = take(rows.triples, ~rows.own)
    parts = deal(rows.table, wrong, num_folds=num_folds, num_entities=evidence.num_entities, seed=seed)
    return np.concatenate(parts)


def _kept(signal: Signal, fold: Fold, width: int, path: Path) -> FloatArray:
    if not len(fold.train) or not len(fold.asked):
        return np.full((len(fold.asked), width), np.nan, dtype=np.float32)
    if not path.exists():
        part = path.with_suffix(".part")
        save_file({"score": np.ascontiguousarray(signal.score(fold), dtype=np.float32)}, part)
        part.replace(path)
    return load_file(path)["score"]
