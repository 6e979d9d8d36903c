"""Cross-fitting: every triple is scored by a signal that has not seen it.

Triples are dealt into folds; a signal learns from all but one and scores that one. Held-out
corruptions are dealt alongside but never learnt from, so that they meet the signal exactly as a
wrong triple of the table does.
"""

from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from graphrec.core.progress import track
from graphrec.core.seeds import derive_seed, generator
from graphrec.core.tracking import Tracker
from graphrec.core.types import FloatArray, IntArray
from graphrec.core.workspace import Workspace
from graphrec.data.corrupt import join, take
from graphrec.data.dataset import Triples
from kg_denoise.fold import Fold, Signal


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
    signal: Signal,
    triples: Triples,
    corruptions: Triples,
    *,
    num_folds: int,
    num_entities: int,
    num_relations: int,
    seed: int,
    workspace: Workspace,
    tracker: Tracker,
) -> FloatArray:
    """Return the scores of `triples`, then those of `corruptions`.

    Each finished fold is kept in `workspace`, so that a killed run goes on from there to the same
    numbers. Scores are NaN where the signal has nothing to go by, as in a fold that leaves nothing
    to learn from.
    """
    both = join(triples, corruptions)
    dealt = deal(triples, corruptions, num_folds=num_folds, num_entities=num_entities, seed=seed)
    place, learnt = np.concatenate(dealt), np.arange(len(both)) < len(triples)
    score = np.empty(len(both), dtype=np.float32)
    for index in track(range(num_folds), "denoise: folds"):
        fold = Fold(
            index=index,
            train=take(both, learnt & (place != index)),
            asked=take(both, place == index),
            num_entities=num_entities,
            num_relations=num_relations,
            seed=derive_seed(seed, "fold", index),
            tracker=tracker,
        )
        score[place == index] = _kept(signal, fold, workspace.path / f"fold-{index}.safetensors")
    return score


def _kept(signal: Signal, fold: Fold, path: Path) -> FloatArray:
    if not len(fold.train) or not len(fold.asked):
        return np.full(len(fold.asked), np.nan, dtype=np.float32)
    if not path.exists():
        part = path.with_suffix(".part")
        save_file({"score": signal.score(fold)}, part)
        part.replace(path)
    return load_file(path)["score"]
