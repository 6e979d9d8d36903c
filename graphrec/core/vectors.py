"""What several parts do with rows of numbers."""

import numpy as np

from graphrec.core.types import FloatArray


def unit_rows(rows: FloatArray, short: float = 0.0) -> FloatArray:
    """Return `rows` (vectors along the last axis) with length 1; those no longer than `short` become zeros."""
    length = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.where(length > short, rows / np.where(length > short, length, 1), 0).astype(np.float32)
