"""What is kept of the triples, given how likely each is true.

Policies, by increasing severity on a noisy table:

- `weights` drops the hopeless only and leaves doubt to the weight.
- `threshold` keeps what is likely enough, triple by triple. The default: dropping doubtful triples won
  back more for a recommender than weighing them down did, see benchmarks/RESULTS.md.
- `precision` keeps as many as it can while their mean probability stays at the target. As probabilities
  are calibrated, that mean is the expected share of true ones.
- `top` keeps a share of each relation: for tables of candidates of which most are not worth having.

Whatever the policy, a rare entity keeps its best triples if they are not unlikely: else denoising would
be paid for by the long tail.
"""

from dataclasses import dataclass

import numpy as np

from graphrec.core.types import BoolArray, FloatArray, IntArray
from graphrec.data.dataset import Triples
from kg_denoise.keep_config import KeepConfig
from kg_denoise.ranks import rank_within

_ROUNDING = 1e-6
"""What single precision may take from a mean, or add to a share: .3 of 10 is 3."""


@dataclass(frozen=True, kw_only=True)
class Kept:
    """Per triple, `[num_triples]`: whether it goes on, its weight if so, whether only the guard keeps it."""

    keep: BoolArray
    weight: FloatArray
    guarded: BoolArray


def keep(probability: FloatArray, triples: Triples, num_entities: int, config: KeepConfig) -> Kept:
    """Return what is kept of `triples`, `probability` [num_triples] being that of each to be true.

    Rows of equal probability are kept or dropped together, but for `top`, which takes those of larger
    confidence first, then earlier rows.
    """
    assert len(probability) == len(triples) and not np.isnan(probability).any(), "one probability per triple"
    chosen = _chosen(probability, triples, config)
    guarded = _guarded(probability, triples, num_entities, chosen, config)
    weight = probability**config.power * triples.confidence
    return Kept(keep=chosen | guarded, weight=weight.astype(np.float32), guarded=guarded)


def _chosen(probability: FloatArray, triples: Triples, config: KeepConfig) -> BoolArray:
    if config.policy == "precision":
        group = triples.relation if config.per_relation else np.zeros_like(triples.relation)
        return _precise(probability, group, config.precision)
    if config.policy == "top":
        size = np.bincount(triples.relation)
        allowed = np.ceil(config.top * size - _ROUNDING)
        best: BoolArray = rank_within(triples.relation, -probability, -triples.confidence) < allowed[triples.relation]
        return best
    least: float = {"weights": config.hopeless, "threshold": config.threshold}[config.policy]
    likely: BoolArray = probability >= np.float32(least)
    return likely


def _precise(probability: FloatArray, group: IntArray, target: float) -> BoolArray:
    """Return the largest set of likely rows, in each group, whose mean probability is at least `target`."""
    order = np.lexsort((-probability, group))
    p, owner = probability[order].astype(np.float64), group[order]
    first = np.flatnonzero(np.diff(owner, prepend=-1))
    size = np.diff(np.append(first, len(owner)))
    total, start = np.cumsum(p), np.repeat(first, size)
    mean = (total - total[start] + p[start]) / (np.arange(len(p)) - start + 1)
    ends = np.append((np.diff(p) != 0) | (np.diff(owner) != 0), True)[: len(p)]
    # The mean only falls, so the last end of a run of equals that reaches the target is the cut.
    cut = np.full(int(group.max(initial=0)) + 1, np.inf)
    good = ends & (mean >= target - _ROUNDING)
    np.minimum.at(cut, owner[good], p[good])
    best: BoolArray = probability >= cut[group]
    return best


def _guarded(
    probability: FloatArray, triples: Triples, num_entities: int, chosen: BoolArray, config: KeepConfig
) -> BoolArray:
    """Return which dropped rows are among the best of a rare entity, counting those that it keeps anyway first."""
    entity, row = np.concatenate([triples.head, triples.tail]), np.tile(np.arange(len(triples)), 2)
    rare = np.bincount(entity, minlength=num_entities)[entity] <= config.tail_degree
    entity, row = entity[rare], row[rare]
    best = row[rank_within(entity, ~chosen[row], -probability[row], row) < config.least_per_entity]
    guarded = np.zeros(len(triples), dtype=np.bool_)
    guarded[best] = ~chosen[best] & (probability[best] >= np.float32(config.guard_floor))
    return guarded
