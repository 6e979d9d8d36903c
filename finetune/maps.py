"""From a source's views to the target's items: one linear map per source, in closed form.

The score is s * own(u) . item + w * log(1 + count) + the sum over sources of (view(u) - mean) W . item.
At W = 0 the gradient of the softmax log-likelihood over the training events is

    G = mean over events of (view - mean)^T (item taken - E[item])

with the expectation under the scores without the source. One Newton step, its curvature taken as the Kronecker product
of the covariances of the views and of the items under these scores, with ridges of `ridge` times their mean eigenvalue:

    W = (C_view + ridge * a I)^-1 G (C_item + ridge * b I)^-1

It needs no learning rate and costs one pass over the events for all sources together. Views are centred: what all users
of a source share would be popularity over again.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from finetune.logit import Choices, Real, fit_logit
from graphrec.core.types import FloatArray, IntArray

_CALIBRATED, _BLOCK = 4000, 4096
_FEWEST = 8
"""Events of users with a view below which a source is not mapped."""


@dataclass(frozen=True)
class SourceMap:
    """`mean` [view_dim] is taken off a view before `matrix` [view_dim, dim]."""

    mean: FloatArray
    matrix: FloatArray

    def __call__(self, views: FloatArray) -> FloatArray:
        """Return what views [num_rows, view_dim] add to user vectors; zero where a user has no view."""
        added = ((views - self.mean) @ self.matrix) * views.any(axis=1, keepdims=True)
        return np.asarray(added, dtype=np.float32)


@dataclass(frozen=True, kw_only=True)
class Residuals:
    """What the training events say beyond the scores without sources.

    `direction` [num_events, dim] is the item taken minus the expected one, `spread` [dim, dim] the covariance of items.
    """

    direction: FloatArray
    spread: Real

    @classmethod
    def of(
        cls, own: FloatArray, pos: IntArray, item: FloatArray, popularity: FloatArray, offered: IntArray
    ) -> "Residuals":
        """Compare each event's item `pos` with those `offered`, drawn evenly; `own` [num_events, dim] are user vectors.

        How much `own` and `popularity` [num_items] count is fitted first, on some of the events.
        """
        scale, prior = calibrate(own, pos, item, popularity, offered)
        vectors, base = item[offered], np.float32(prior) * popularity[offered]
        direction = np.empty((len(pos), item.shape[1]), dtype=np.float32)
        spread = np.zeros((item.shape[1], item.shape[1]))
        for start in range(0, len(pos), _BLOCK):
            rows = slice(start, start + _BLOCK)
            score = np.float32(scale) * (own[rows] @ vectors.T) + base
            chance = np.exp(score - score.max(axis=1, keepdims=True))
            chance /= chance.sum(axis=1, keepdims=True)
            mean = chance @ vectors
            direction[rows] = item[pos[rows]] - mean
            spread += (vectors * chance.sum(axis=0)[:, None]).T @ vectors - mean.T @ mean
        return cls(direction=direction, spread=spread / max(1, len(pos)))

    def maps(self, views: Mapping[str, FloatArray], ridge: float) -> dict[str, SourceMap]:
        """Return the map of each source, given its views of the events' users, `[num_events, view_dim]`."""
        return {name: made for name, view in views.items() if (made := self._map(view, ridge)) is not None}

    def _map(self, view: FloatArray, ridge: float) -> SourceMap | None:
        has = view.any(axis=1)
        if has.sum() < _FEWEST:
            return None
        mean = np.asarray(view[has].mean(axis=0), dtype=np.float32)
        centred = (view[has] - mean).astype(np.float64)
        gradient = centred.T @ self.direction[has] / len(centred)
        left = np.linalg.solve(_ridged(centred.T @ centred / len(centred), ridge), gradient)
        matrix = np.linalg.solve(_ridged(self.spread, ridge), left.T).T
        return SourceMap(mean, matrix.astype(np.float32))


def calibrate(
    own: FloatArray, pos: IntArray, item: FloatArray, popularity: FloatArray, offered: IntArray
) -> tuple[float, float]:
    """Return how much own vectors and popularity count for which item was taken, among it and those `offered`.

    Some of the events, spread over all of them, are enough to tell.
    """
    if not len(pos):
        return 0.0, 0.0
    some = np.linspace(0, len(pos) - 1, min(len(pos), _CALIBRATED)).astype(np.int64)
    own, pos = own[some], pos[some]
    offered = offered[:255]
    score, prior = own @ item[offered].T, np.broadcast_to(popularity[offered], (len(pos), len(offered)))
    # The item taken stands first; where it is offered too, twice, which moves little.
    taken = np.stack([(own * item[pos]).sum(axis=1), popularity[pos]])[:, :, None]
    features = np.concatenate([taken, np.stack([score, prior])], axis=2).astype(np.float32)
    size = np.full(len(pos), features.shape[2], dtype=np.int64)
    scale, weight = fit_logit(Choices.of(features, size, np.zeros(len(pos), dtype=np.int64)), (0, 1)).weight
    return max(float(scale), 0.0), float(weight)


def _ridged(covariance: Real, ridge: float) -> Real:
    size = len(covariance)
    solid: Real = covariance + (ridge * np.trace(covariance) / size + 1e-12) * np.eye(size)
    return solid
