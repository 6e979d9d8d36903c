"""Compiled pass of the conditional logit: log-likelihoods, gradient and information in one go over the choices."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from graphrec.core.types import FloatArray, IntArray

Real = NDArray[np.float64]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def evaluate(
    features: FloatArray, size: IntArray, pos: IntArray, column: IntArray, weight: Real
) -> tuple[Real, Real, Real]:
    """Return log-likelihoods [n], their gradients [n, k] and the information [k, k] at `weight` [k].

    `features` is [n, most, all columns]; of a row the first `size` candidates count, and `column` names the k in use.
    """
    n, k = len(pos), len(column)
    value, gradient, information = np.empty(n), np.zeros((n, k)), np.zeros((k, k))
    score, mean, second = np.empty(features.shape[1]), np.empty(k), np.empty((k, k))
    for row in range(n):
        top = -np.inf
        for j in range(size[row]):
            total = 0.0
            for c in range(k):
                total += weight[c] * features[row, j, column[c]]
            score[j] = total
            top = max(top, total)
        mass = 0.0
        mean[:] = 0.0
        second[:] = 0.0
        for j in range(size[row]):
            p = np.exp(score[j] - top)
            mass += p
            for c in range(k):
                part = p * features[row, j, column[c]]
                mean[c] += part
                for other in range(c + 1):
                    second[c, other] += part * features[row, j, column[other]]
        value[row] = score[pos[row]] - top - np.log(mass)
        for c in range(k):
            mean[c] /= mass
            gradient[row, c] = features[row, pos[row], column[c]] - mean[c]
            for other in range(c + 1):
                information[c, other] += second[c, other] / mass - mean[c] * mean[other]
    for c in range(k):
        for other in range(c):
            information[other, c] = information[c, other]
    return value, gradient, information
