"""How well a probability of being true does, given what is true: ranking and calibration."""

import numpy as np
from scipy.stats import rankdata

from graphrec.core.types import JSON, BoolArray, FloatArray

_POINTS = 100
_BINS = 10


def curves(probability: FloatArray, true: BoolArray) -> JSON | None:
    """Return the numbers and curves of the report, or None where all rows are true or all wrong.

    Both are [n]. `auroc`, `average_precision`, `base_rate` and `precision_recall` (at most 100
    pairs of recall and precision) are about finding wrong triples; `reliability` holds one
    (mean probability, share true, count) for each tenth of the probability range that is not
    empty, and `ece` is their mean distance from the diagonal, weighted by count.
    """
    if true.all() or not true.any():
        return None
    recall, precision = _precision_recall(probability, true)
    reliability = _reliability(probability, true)
    return {
        "auroc": auroc(probability, true),
        "average_precision": float(np.sum(np.diff(recall, prepend=0.0) * precision)),
        "ece": sum(count * abs(mean - share) for mean, share, count in reliability) / len(true),
        "base_rate": float(np.mean(~true)),
        "precision_recall": _thinned(recall, precision),
        "reliability": reliability,
    }


def auroc(score: FloatArray, true: BoolArray) -> float:
    """Return the probability that a true row scores above a wrong one, ties counted half; .5 where one kind lacks."""
    num_true, num_wrong = int(true.sum()), int((~true).sum())
    if not num_true or not num_wrong:
        return 0.5
    return float((rankdata(score)[true].sum() - num_true * (num_true + 1) / 2) / (num_true * num_wrong))


def _precision_recall(probability: FloatArray, true: BoolArray) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(probability, kind="stable")
    # Rows of equal probability enter together, so that their order in the table changes nothing.
    last = np.flatnonzero(np.diff(probability[order], append=np.inf))
    found, taken = np.cumsum(~true[order])[last], last + 1
    return found / found[-1], found / taken


def _thinned(recall: np.ndarray, precision: np.ndarray) -> list[list[float]]:
    kept = np.unique(np.searchsorted(recall, np.linspace(recall[0], 1, _POINTS)))
    return [[float(recall[i]), float(precision[i])] for i in kept]


def _reliability(probability: FloatArray, true: BoolArray) -> list[list[float]]:
    bins = np.minimum((probability * _BINS).astype(np.int64), _BINS - 1)
    present = [bins == index for index in np.unique(bins)]
    return [[float(probability[b].mean()), float(true[b].mean()), int(b.sum())] for b in present]
