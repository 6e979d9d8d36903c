"""How well features suit a task, without training on it.

LogME (You et al. 2021, arXiv 2102.11005): the log evidence that a linear model finds in features for labels. For
features F [n, d] and one label column y, y = F w + noise with w ~ N(0, 1/alpha) and noise ~ N(0, 1/beta); alpha and
beta are those of greatest evidence, found by the fixed-point iteration of the paper's Algorithm 1 on the singular
values of F. The score is the evidence divided by n, averaged over the label columns; classes enter as one column each.

H-score (Bao et al. 2019, eq. 3): tr(cov(F)^-1 cov(E[F | class])), with a small ridge as covariances may be singular.

CKA (Kornblith et al. 2019, eq. 1 with a linear kernel): |A'B|^2 / (|A'A| |B'B|), Frobenius norms of centred matrices.
Of two graphs over the same nodes, given as similarities K and L, it is HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L)) with
the unbiased HSIC of Song et al. 2012 (eq. 5): what a node has in common with itself does not count.
"""

import numpy as np
from numpy.typing import NDArray

from graphrec.core.types import IntArray

Real = NDArray[np.float64]

_STEPS = 100
_TOLERANCE = 1e-6


def logme(features: Real, labels: Real) -> float:
    """Return the LogME of `features` [n, d] for `labels` [n, columns]; greater is better."""
    # Directions that the features do not span say nothing and would divide by zero.
    left, singular, _ = np.linalg.svd(features, full_matrices=False)
    found = singular > 1e-10 * singular.max(initial=1e-300)
    left, spectrum = left[:, found], singular[found] ** 2
    scores = [_evidence(left.T @ y, spectrum, float(y @ y), features.shape) for y in labels.T]
    return float(np.mean(scores))


def _evidence(inner: Real, spectrum: Real, total: float, shape: tuple[int, ...]) -> float:
    """Return the greatest evidence per sample for one label; inner = U'y, total = |y|^2."""
    (n, d), alpha, beta = shape, 1.0, 1.0
    outside = max(total - float(inner @ inner), 0.0)
    for _ in range(_STEPS):
        gamma = float((beta * spectrum / (alpha + beta * spectrum)).sum())
        weight = float((beta**2 * spectrum * inner**2 / (alpha + beta * spectrum) ** 2).sum())
        rest = float((alpha**2 * inner**2 / (alpha + beta * spectrum) ** 2).sum()) + outside
        ratio, alpha, beta = alpha / beta, gamma / max(weight, 1e-12), (n - gamma) / max(rest, 1e-12)
        if abs(alpha / beta - ratio) <= _TOLERANCE * ratio:
            break
    weight = float((beta**2 * spectrum * inner**2 / (alpha + beta * spectrum) ** 2).sum())
    rest = float((alpha**2 * inner**2 / (alpha + beta * spectrum) ** 2).sum()) + outside
    determinant = float(np.log(alpha + beta * spectrum).sum()) + (d - len(spectrum)) * np.log(alpha)
    evidence = n * np.log(beta) + d * np.log(alpha) - n * np.log(2 * np.pi) - beta * rest - alpha * weight
    return float(evidence - determinant) / (2 * n)


def h_score(features: Real, classes: IntArray) -> float:
    """Return the H-score of `features` [n, d] for `classes` [n]; greater is better, at most d."""
    centred = features - features.mean(axis=0)
    _, member, size = np.unique(classes, return_inverse=True, return_counts=True)
    sums = np.zeros((len(size), features.shape[1]))
    np.add.at(sums, member, centred)
    means = sums / size[:, None]
    within = centred.T @ centred / len(centred)
    between = (means * size[:, None]).T @ means / len(centred)
    solid = within + 1e-6 * max(np.trace(within), 1e-12) * np.eye(len(within))
    return float(np.trace(np.linalg.solve(solid, between)))


def linear_cka(first: Real, second: Real) -> float:
    """Return the linear CKA of two sets of features of the same rows, between 0 and 1."""
    a, b = first - first.mean(axis=0), second - second.mean(axis=0)
    joint, own = np.linalg.norm(a.T @ b) ** 2, np.linalg.norm(a.T @ a) * np.linalg.norm(b.T @ b)
    return float(joint / own) if own else 0.0


def graph_cka(first: Real, second: Real) -> float:
    """Return the CKA of two graphs, similarities [n, n] of the same n > 3 nodes: about 0 if unrelated, at most 1."""
    both, one, other = _hsic(first, second), _hsic(first, first), _hsic(second, second)
    return both / float(np.sqrt(one * other)) if one > 0 and other > 0 else 0.0


def _hsic(first: Real, second: Real) -> float:
    n = len(first)
    one, other = (similarity - np.diag(np.diag(similarity)) for similarity in (first, second))
    rows, others = one.sum(axis=1), other.sum(axis=1)
    outer = rows.sum() * others.sum() / ((n - 1) * (n - 2))
    return float((one * other).sum() + outer - 2 * rows @ others / (n - 2)) / (n * (n - 3))
