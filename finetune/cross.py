"""What goes together: who had an item of the source, or one of the target itself, also had which items of the target.

    C = D^-1/2 X' Y     X [num_users, items of the source], Y [num_users, items of the target], D users per item of X

A user who had x in the source scores item i by s(u, i) = x C_i / sqrt(|x|): co-occurrence counts with the source's
popular items damped. Views say what kind of user somebody is in the source, this says which of their items point where.
It comes in two shapes:

    Cross    C ~ U s V', its largest singular triplets, scaled to a usual spread of 1: vectors that can be exported
    Counts   log(1 + a s / usual s), of each item of the source the closest items of the target: sparse, item by item;
             C is divided by the popularity of its items, among users in both, to the power .2, as in RP3beta
             (Paudel et al. 2016)

With a small `a` twice the count is twice the reason, with a large one any count is nearly as good as another; which it
is depends on the data, and validation chooses. Counts know what was had together, however rare; vectors guess at what
might be, which serves who has had little.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.linalg import LinearOperator, svds

from graphrec.baselines.neighbours import nearest
from graphrec.core.types import BoolArray, FloatArray
from graphrec.metrics.scorers import Together

_BETA = 0.2
"""Power of the popularity of an item that its counts are divided by."""
_FEWEST, _SAMPLE = 3, 256
_NOTHING = 1e-4


@dataclass(frozen=True)
class Counts:
    """`weight` is [items of the source, items of the target], sparse, a usual s being 1; see the top of this module.

    `saturation` is the `a` there.
    """

    weight: csr_array
    saturation: float = 1.0

    @classmethod
    def of(cls, theirs: csr_array, own: csr_array, neighbours: int) -> "Counts | None":
        """Return what goes together in users' histories in source and target, with a row per user; None without ties.

        An item of the source keeps the `neighbours` items of the target of greatest cosine. Where both are the same
        history, an item does not go together with itself.
        """
        both = _in_both(theirs, own)
        if not both.any():
            return None
        theirs, own, itself = theirs[both], csr_array(own[both]), theirs is not own
        popularity = np.maximum(own.sum(axis=0), 1).astype(np.float32)
        root, prior = np.sqrt(popularity), popularity**_BETA
        # By count alone most of them would be equal, and the first ones would stay.
        counted = nearest(
            _columns_damped(theirs).T.tocsr(), own, lambda _, to, count: count / root[to], neighbours, itself=itself
        )
        counted.data *= root[counted.indices] / prior[counted.indices]
        some = np.linspace(0, theirs.shape[0] - 1, min(theirs.shape[0], _SAMPLE)).astype(np.int64)
        usual = csr_array(_by_length(theirs[some]) @ counted).data
        if not usual.size:
            return None
        return cls(csr_array(counted * np.float32(1 / usual.mean())))

    def together(self, theirs: csr_array) -> Together:
        """Return what goes with histories [num_rows, items of the source]."""
        history = _by_length(theirs)
        history.data *= np.float32(self.saturation)
        return Together(history, self.weight)


@dataclass(frozen=True)
class Cross:
    """`source` is [items of the source, rank], `item` [items of the target, rank]."""

    source: FloatArray
    item: FloatArray

    @classmethod
    def of(cls, theirs: csr_array, own: csr_array, rank: int) -> "Cross | None":
        """Return the factors of users' histories in source and target, both with a row per user; None without ties.

        Where both are the same history, an item does not go together with itself.
        """
        both = _in_both(theirs, own)
        left, right = _columns_damped(theirs[both]), csr_array(own[both])
        most = min(rank, left.shape[1] - 1, right.shape[1] - 1, int(both.sum()) - 1)
        if most < _FEWEST:
            return None
        # Within one domain an item that goes together with itself is no news.
        itself = np.sqrt(np.asarray(own[both].sum(axis=0), dtype=np.float32)).ravel()

        def forward(v: FloatArray) -> FloatArray:
            found = left.T @ (right @ np.ravel(v))
            return np.asarray(found - itself * np.ravel(v) if theirs is own else found)

        def back(v: FloatArray) -> FloatArray:
            found = right.T @ (left @ np.ravel(v))
            return np.asarray(found - itself * np.ravel(v) if theirs is own else found)

        product = LinearOperator((left.shape[1], right.shape[1]), matvec=forward, rmatvec=back, dtype=np.float32)
        # A start that is given makes the result the same every time.
        start = np.ones(min(product.shape), dtype=np.float32)
        u, size, v = svds(product, k=most, v0=start, rng=0)
        made = cls((u * size).astype(np.float32), np.ascontiguousarray(v.T, dtype=np.float32))
        return made._scaled(theirs[both])

    def _scaled(self, theirs: csr_array) -> "Cross | None":
        """Return it with a usual spread of 1 of a user's scores: counts grow with the history, weights must not."""
        some = np.linspace(0, theirs.shape[0] - 1, min(theirs.shape[0], _SAMPLE)).astype(np.int64)
        spread = float((self.users(theirs[some]) @ self.item.T).std(axis=1).mean())
        return Cross(self.source, self.item / np.float32(spread)) if spread > _NOTHING else None

    def users(self, theirs: csr_array) -> FloatArray:
        """Return user vectors [num_rows, rank] of histories [num_rows, items of the source]; zero without any."""
        made: FloatArray = np.asarray(_by_length(theirs) @ self.source, dtype=np.float32)
        return made


def _in_both(theirs: csr_array, own: csr_array) -> BoolArray:
    # Within one domain a single event goes together with nothing.
    return np.asarray((np.diff(theirs.indptr) > 0) & (np.diff(own.indptr) > (1 if theirs is own else 0)))


def _by_length(history: csr_array) -> csr_array:
    count = np.diff(history.indptr)
    divided = csr_array(history, copy=True).astype(np.float32)
    divided.data /= np.repeat(np.sqrt(np.maximum(count, 1)), count).astype(np.float32)
    return divided


def _columns_damped(history: csr_array) -> csr_array:
    damped = csr_array(history, copy=True).astype(np.float32)
    count = np.asarray(history.sum(axis=0), dtype=np.float32).ravel()
    damped.data /= np.sqrt(count)[damped.indices]
    return damped
