"""Shared negatives: one draw of items serves every row of a batch."""

from dataclasses import dataclass

import numpy as np

from graphrec.core.types import FloatArray, IntArray


@dataclass(frozen=True)
class NegativeSampler:
    """Draws catalogue positions with probability q, proportional to (popularity + 1) ** power.

    `log_q` is [num_items]. Power 0 is uniform; 1 follows popularity and so asks harder questions.
    """

    log_q: FloatArray
    power: float

    @classmethod
    def of(cls, popularity: IntArray, power: float) -> "NegativeSampler":
        """Make a sampler from event counts, `[num_items]`, at least one item."""
        mass = (popularity + 1.0) ** power
        return cls(np.log(mass / mass.sum()).astype(np.float32), power)

    def draw(self, rng: np.random.Generator, size: int) -> IntArray:
        """Return `size` positions, drawn with replacement."""
        if self.power == 0:
            return rng.integers(len(self.log_q), size=size)
        ends = np.cumsum(np.exp(self.log_q, dtype=np.float64))
        return np.searchsorted(ends / ends[-1], rng.random(size), side="right").astype(np.int64)
