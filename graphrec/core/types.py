"""Names of array kinds, said once so that signatures read like the paper."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
"""Internal ids or counts. External ids never travel in one."""

Index = NDArray[np.signedinteger[Any]]
"""Ids or positions in large arrays, 32 bits wide where they fit."""

FloatArray = NDArray[np.float32]
"""Scores, weights, embeddings."""

BoolArray = NDArray[np.bool_]
"""Masks."""

JSON = dict[str, Any]
"""A mapping that `json.dumps` accepts."""


class Scorer(Protocol):
    """Anything that scores the whole catalogue of one domain for given users."""

    def score(self, users: IntArray) -> FloatArray:
        """Return `[len(users), num_items]` scores; a column is a position in the domain's catalogue."""
        ...
