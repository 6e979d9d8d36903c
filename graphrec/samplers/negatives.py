"""Shared negatives: one draw of items serves every row of a batch."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from graphrec.core.types import FloatArray, IntArray


@dataclass(frozen=True)
class NegativeSampler:
    """Draws catalogue positions with probability q, proportional to (popularity + 1) ** power.

    `log_q` is [num_items], -inf where an item is never drawn. Power 0 is uniform; 1 follows
    popularity and so asks harder questions.
    """

    log_q: FloatArray
    power: float

    @classmethod
    def of(cls, popularity: IntArray, power: float, *, met_only: bool = False) -> "NegativeSampler":
        """Make a sampler from event counts, `[num_items]`, at least one item; of those with an event if `met_only`."""
        mass = (popularity + 1.0) ** power
        if met_only and popularity.any():
            mass[popularity == 0] = 0.0
        with np.errstate(divide="ignore"):
            return cls(np.log(mass / mass.sum()).astype(np.float32), power)

    def draw(self, rng: np.random.Generator, size: int) -> IntArray:
        """Return `size` positions, drawn with replacement."""
        if self.power == 0:
            drawn: IntArray = self._offered[rng.integers(len(self._offered), size=size)]
            return drawn
        return np.searchsorted(self._ends, rng.random(size), side="right").astype(np.int64)

    @cached_property
    def _offered(self) -> IntArray:
        return np.flatnonzero(np.isfinite(self.log_q)).astype(np.int64)

    @cached_property
    def _ends(self) -> NDArray[np.float64]:
        ends: NDArray[np.float64] = np.cumsum(np.exp(self.log_q, dtype=np.float64))
        ends /= ends[-1]
        return ends
