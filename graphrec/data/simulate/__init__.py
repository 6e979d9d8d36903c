"""The planted world: simulated domains of known worth, and a knowledge graph with known errors.

    config -> plan (names, roles, sizes) -> latent (interests) -> behaviour (events)
           -> knowledge (triples), words (text) -> tables -> write

`simulate` and `write_world` (or `plant`, both in one) make a world; `measure` says how hard it is;
`FROZEN_SEEDS` are worlds of checked difficulty under the default `WorldConfig`.
"""

from graphrec.data.simulate.config import SimulateConfig, WorldConfig
from graphrec.data.simulate.contract import Difficulty, measure
from graphrec.data.simulate.frozen import FROZEN_SEEDS
from graphrec.data.simulate.world import World, play_domains, simulate
from graphrec.data.simulate.write import plant, write_world

__all__ = [
    "FROZEN_SEEDS",
    "Difficulty",
    "SimulateConfig",
    "World",
    "WorldConfig",
    "measure",
    "plant",
    "play_domains",
    "simulate",
    "write_world",
]
