"""Fusion: from the columns of all signals to one log odds per row, without a label.

Most triples of the table are true and every corruption is wrong, so a classifier of own triples
against corruptions ranks truth (positive-unlabelled learning; Elkan and Noto, KDD 2008): wrong triples
in the table only flatten its log odds, and calibration undoes that. Trees take missing columns as
they are; where a column can only speak for a triple, they are bound to rise with it, so that wrong
triples which the table does hold cannot be learnt by heart. Every row is scored by trees that have
not seen it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from graphrec.core.seeds import derive_seed, generator
from graphrec.core.types import BoolArray, FloatArray, IntArray
from kg_denoise._lightgbm import Forest, Matrix, fit_forest
from kg_denoise.fuse_config import FusionConfig
from kg_denoise.gaps import lonely, match_gaps
from kg_denoise.rows import Rows

RELATION = "relation"
"""What is said of a triple by its relation alone."""

_AT_ONCE = 200_000


@dataclass(frozen=True, kw_only=True)
class Columns:
    """The columns of all signals, side by side.

    `values` [num_rows, k]; `signal`, `name` and `monotone` have one entry per column.
    """

    values: Matrix
    signal: tuple[str, ...]
    name: tuple[str, ...]
    monotone: tuple[int, ...]

    @classmethod
    def beside(
        cls, scores: Mapping[str, Matrix], described: Mapping[str, Mapping[str, int]], num_rows: int
    ) -> "Columns":
        """Lay the scores of each signal side by side; `described` maps a signal to its columns and their flags."""
        parts = [np.empty((num_rows, 0), dtype=np.float32), *scores.values()]
        return cls(
            values=np.concatenate(parts, axis=1),
            signal=tuple(signal for signal in scores for _ in described[signal]),
            name=tuple(name for signal in scores for name in described[signal]),
            monotone=tuple(flag for signal in scores for flag in described[signal].values()),
        )


@dataclass(frozen=True, kw_only=True)
class Fused:
    """`logit` [num_rows]: log odds of being an own triple, NaN where no signal speaks; `forests` by fold, None where
    there was nothing to learn from.

    `apart` [num_rows]: rows of which nothing else mentions the ends, see `kg_denoise.gaps`.
    """

    logit: FloatArray
    apart: BoolArray
    place: IntArray
    forests: tuple[Forest | None, ...]
    features: Matrix
    signal: tuple[str, ...]

    def contributions(self, num: int) -> tuple[tuple[str, ...], Matrix]:
        """Return the names of the signals, and what each adds to the log odds of the first `num` rows.

        The latter is `[num, signals]`; the last name is `RELATION`. A row and the bias of its forest add up to
        the logit.
        """
        names = tuple(dict.fromkeys((*self.signal, RELATION)))
        owner = np.array([names.index(name) for name in (*self.signal, RELATION)])
        found = np.zeros((num, len(names)), dtype=np.float32)
        for fold, forest in enumerate(self.forests):
            if forest is None:
                continue
            for part in _parts(np.flatnonzero(self.place[:num] == fold)):
                each = forest.contributions(self.features[part])
                for index in range(len(names)):
                    found[part, index] = each[:, owner == index].sum(axis=1)
        return names, found


def fuse(
    columns: Columns,
    rows: Rows,
    num_entities: int,
    config: FusionConfig,
    *,
    weight: FloatArray | None = None,
    seed: int,
) -> Fused:
    """Return the cross-fitted log odds of every row. `weight` [num_rows] is what each counts, 1 by default."""
    weight = np.ones(len(rows), dtype=np.float32) if weight is None else weight
    rng = generator(seed, "fusion")
    place = rng.integers(config.folds, size=len(rows))
    relation = rows.triples.relation.astype(np.float32)
    values, apart = match_gaps(columns.values, rows, lonely(rows, num_entities), rng)
    features = np.concatenate([values, relation[:, None]], axis=1)
    forests: list[Forest | None] = []
    logit = np.full(len(rows), np.nan, dtype=np.float32)
    for fold in range(config.folds):
        learnt = np.flatnonzero(place != fold)
        if not len(learnt):
            forests.append(None)
            continue
        if len(learnt) > config.max_rows:
            learnt = np.sort(rng.choice(learnt, config.max_rows, replace=False))
        forest = fit_forest(
            features[learnt],
            rows.own[learnt],
            weight[learnt],
            monotone=(*columns.monotone, 0),
            categorical=np.array([len(columns.monotone)]),
            config=config,
            seed=derive_seed(seed, "fusion", fold),
        )
        forests.append(forest)
        for part in _parts(np.flatnonzero(place == fold)):
            logit[part] = forest.logit(features[part])
    logit[np.isnan(values).all(axis=1)] = np.nan
    return Fused(
        logit=logit, apart=apart, place=place, forests=tuple(forests), features=features, signal=columns.signal
    )


def _parts(rows: IntArray) -> Iterator[IntArray]:
    for start in range(0, len(rows), _AT_ONCE):
        yield rows[start : start + _AT_ONCE]
