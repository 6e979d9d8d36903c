"""The planted world: simulated domains of known worth, and a knowledge graph with known errors.

    config -> plan (names, roles, sizes) -> latent (interests) -> behaviour (events)
           -> knowledge (triples), words (text) -> tables -> world.simulate -> write.write_world

`plant` does it all; `measure` says how hard a world is; `FROZEN_SEEDS` are worlds of checked
difficulty under the default `WorldConfig`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from graphrec.data.simulate.config import SimulateConfig, WorldConfig
from graphrec.data.simulate.frozen import FROZEN_SEEDS

if TYPE_CHECKING:
    from graphrec.data.simulate.contract import Difficulty, measure
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

_LAZY = {
    "Difficulty": "contract",
    "measure": "contract",
    "World": "world",
    "play_domains": "world",
    "simulate": "world",
    "plant": "write",
    "write_world": "write",
}
"""Name -> its module, loaded on first use: the options alone must not load Polars and SciPy, for help's sake."""


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
