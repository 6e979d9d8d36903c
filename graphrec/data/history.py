"""Who had what, as one sparse matrix per domain: what baselines learn from and rankings mask."""

import numpy as np
from scipy.sparse import csr_array

from graphrec.core.types import IntArray
from graphrec.data.dataset import DomainSplit


def train_history(split: DomainSplit) -> csr_array:
    """Return the training events, for everything chosen on validation: `[num_users, num_items]` of 1.0."""
    return _matrix(split, split.train_user, split.train_item)


def known_history(split: DomainSplit) -> csr_array:
    """Return training and validation events, for the final test: `[num_users, num_items]` of 1.0."""
    user = np.concatenate([split.train_user, split.valid_user])
    item = np.concatenate([split.train_item, split.valid_item])
    return _matrix(split, user, item)


def _matrix(split: DomainSplit, user: IntArray, item: IntArray) -> csr_array:
    shape = (split.num_users, len(split.catalog))
    matrix = csr_array((np.ones(len(user), dtype=np.float32), (user, item)), shape=shape)
    assert matrix.nnz == len(user), "an event is listed twice"
    return matrix
