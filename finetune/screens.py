"""Screens: seconds, no training, one number per source, or None where too few users are known to tell.

They inform a person; the search does not follow them.

users      share of the target's users whom the source knows
entities   share of the target's items that entities, or the items themselves, tie to the source
logme      LogME of the views for the cluster of the item taken (You et al. 2021)
h_score    H-score of the views for it (Bao et al. 2019)
cka        linear CKA of the views and the users' own views in the target (Kornblith et al. 2019)
graph      whether users who share items in the source share items in the target: CKA of the two graphs of users,
           cosines of what they had (unbiased, Song et al. 2012)
gradient   cosine of the gradients that training events and validation events have for the source's map at the
           pretrained point, W = 0: below zero where what held in training is wrong by now (cf. Du et al. 2018,
           arXiv 1812.02224, who weigh an auxiliary task by such a cosine)
"""

from collections.abc import Callable, Mapping

import numpy as np
from scipy.cluster.vq import kmeans2
from scipy.sparse import csr_array

from finetune.candidates import some_valid
from finetune.evidence import Evidence
from finetune.maps import Residuals
from graphrec.core.seeds import generator
from graphrec.core.types import FloatArray, IntArray
from graphrec.encoders.pretrained import TRAIN
from graphrec.metrics.transferability import Real, graph_cka, h_score, linear_cka, logme

Screen = Callable[[Evidence], Mapping[str, float | None]]
_CLUSTERS, _USERS, _FEWEST = 16, 2000, 10
_ROWS = 4  # users per dimension of a view that a screen of fit needs


def users(evidence: Evidence) -> dict[str, float]:
    """Return the share of the target's users whom each source knows."""
    target = evidence.target
    active = np.union1d(target.histories(TRAIN).user, target.valid[0])
    return {name: float(target.views[TRAIN][name][active].any(axis=1).mean()) for name in target.sources}


def entities(evidence: Evidence) -> dict[str, float]:
    """Return the share of the target's items that each source describes."""
    target, found = evidence.target, evidence.target.bridges[TRAIN]
    return {name: float(found[name].any(axis=1).mean()) if name in found else 0.0 for name in target.sources}


def clustered(measure: Callable[[FloatArray, IntArray], float]) -> Screen:
    """Return the screen that compares the views of users with the cluster of the item they took, by `measure`."""

    def screen(evidence: Evidence) -> dict[str, float | None]:
        user, item = evidence.target.valid
        some = np.sort(generator(0, "screen").permutation(len(user))[:_USERS])
        distinct = len(np.unique(evidence.view.item, axis=0))
        _, cluster = kmeans2(evidence.view.item.astype(np.float64), min(_CLUSTERS, distinct), minit="++", seed=0)
        found: dict[str, float | None] = {}
        for name in evidence.target.sources:
            views = evidence.target.views[TRAIN][name][user[some]]
            # Who is not there says nothing of how well the views fit.
            has = views.any(axis=1)
            enough = has.sum() > _ROWS * views.shape[1]
            found[name] = measure(views[has], cluster[item[some][has]]) if enough else None
        return found

    return screen


def cka(evidence: Evidence) -> dict[str, float | None]:
    """Return how alike users are in each source and in the target."""
    view = evidence.view
    some = np.sort(generator(0, "screen").permutation(len(view.users))[:_USERS])
    found: dict[str, float | None] = {}
    for name in evidence.target.sources:
        theirs = evidence.target.views[TRAIN][name][view.users[some]]
        both = theirs.any(axis=1) & view.own[some].any(axis=1)
        a, b = theirs[both].astype(np.float64), view.own[some][both].astype(np.float64)
        found[name] = linear_cka(a, b) if len(a) > 1 else None
    return found


def graph(evidence: Evidence) -> dict[str, float | None]:
    """Return how alike the graph of users is in each source and in the target."""
    every = evidence.target.everywhere(TRAIN)
    own, found = every[""], dict[str, float | None]()
    for name in evidence.target.sources:
        theirs = every.get(name, csr_array(own.shape))
        both = np.flatnonzero((np.diff(theirs.indptr) > 0) & (np.diff(own.indptr) > 0))
        some = generator(0, "screen", "graph").permutation(both)[:_USERS]
        found[name] = graph_cka(_alike(theirs[some]), _alike(own[some])) if len(some) >= _FEWEST else None
    return found


def _alike(had: csr_array) -> Real:
    unit = csr_array(had, copy=True).astype(np.float64)
    unit.data /= np.repeat(np.sqrt(np.diff(unit.indptr)), np.diff(unit.indptr))
    found: Real = (unit @ unit.T).toarray()
    return found


def gradient(evidence: Evidence) -> dict[str, float]:
    """Return the cosine of each source's gradients by training and by validation events."""
    target, view = evidence.target, evidence.view
    past = evidence.past
    user, item = some_valid(target, evidence.config.valid_events, 0)
    offered = generator(0, "screen", "items").permutation(target.num_items)[: evidence.config.num_offered]
    now = Residuals.of(view.own[np.searchsorted(view.users, user)], item, view.item, view.popularity, offered)
    return {
        name: _cosine(_slope(past.views[name], past.residuals), _slope(target.views[TRAIN][name][user], now))
        for name in target.sources
    }


def _slope(views: FloatArray, residuals: Residuals) -> FloatArray:
    has = views.any(axis=1)
    if not has.any():
        return np.zeros((views.shape[1], residuals.direction.shape[1]), dtype=np.float32)
    slope: FloatArray = (views[has] - views[has].mean(axis=0)).T @ residuals.direction[has]
    return slope


def _cosine(a: FloatArray, b: FloatArray) -> float:
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float((a * b).sum() / size) if size else 0.0


def _logme(views: FloatArray, cluster: IntArray) -> float:
    one_hot = np.eye(int(cluster.max()) + 1)[cluster]
    return logme(views.astype(np.float64), one_hot[:, one_hot.any(axis=0)])


def _h_score(views: FloatArray, cluster: IntArray) -> float:
    return h_score(views.astype(np.float64), cluster)


SCREENS: Mapping[str, Screen] = {
    "users": users,
    "entities": entities,
    "logme": clustered(_logme),
    "h_score": clustered(_h_score),
    "cka": cka,
    "graph": graph,
    "gradient": gradient,
}
"""Name -> screen."""
