"""Seeds by name: every random stream is derived from (run seed, names), never from shared state.

Streams keyed by epoch make resume exact without storing generator states: epoch 7 draws the
same numbers whether or not epochs 1-6 ran in this process.
"""

import hashlib

import numpy as np
from numpy.typing import NDArray

from graphrec.core.types import IntArray


def derive_seed(seed: int, *names: str | int) -> int:
    """Return a 63-bit seed for the stream called `names` under `seed`; equal on every machine."""
    text = "/".join(map(str, (seed, *names)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def chance_of(ids: IntArray, seed: int) -> NDArray[np.float64]:
    """Return a number in [0, 1) for each of `ids`, the same wherever and in whatever company an id is asked for."""
    with np.errstate(over="ignore"):
        mixed = (ids.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed)
        # The finaliser of SplitMix64 (Steele, Lea and Flood 2014).
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
    return np.asarray((mixed >> np.uint64(11)) * 2.0**-53, dtype=np.float64)


def generator(seed: int, *names: str | int) -> np.random.Generator:
    """Return an independent NumPy generator (PCG64) for the stream called `names` under `seed`."""
    return np.random.default_rng(derive_seed(seed, *names))
