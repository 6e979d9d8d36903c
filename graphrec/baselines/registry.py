"""The baselines by name, and the protocol they share."""

from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

from graphrec.core.errors import ConfigError
from graphrec.core.types import Scorer

# Configs read the names below, and help must not wait for scipy.
if TYPE_CHECKING:
    from scipy.sparse import csr_array

BASELINES = {
    "popularity": "graphrec.baselines.popularity:Popularity",
    "item_knn": "graphrec.baselines.item_knn:ItemKNN",
    "rp3beta": "graphrec.baselines.rp3beta:RP3Beta",
    "ease": "graphrec.baselines.ease:EASE",
    "gf_cf": "graphrec.baselines.gf_cf:GFCF",
    "ials": "graphrec.baselines._implicit:IALS",
}
"""Name -> class. A new one = one file, one row here, one section in `config.py`."""


class Fitted(Scorer, Protocol):
    """A scorer that learned from a history."""

    @property
    def note(self) -> str:
        """What a reader of its numbers must know; empty when nothing."""
        ...


class Baseline(Protocol):
    """A recipe, made from its own config: `Class(config)`."""

    def fit(self, history: "csr_array", seed: int) -> Fitted:
        """Learn from `history[num_users, num_items]` (1 where a user had an item); `seed` decides all chance."""
        ...


def make_baseline(name: str, options: object) -> Baseline:
    """Make the baseline called `name`; `options` is a `BaselinesConfig`, whose section `name` it takes.

    Raises `ConfigError` listing the known names.
    """
    if name not in BASELINES:
        raise ConfigError(f"baseline {name!r}: not known; known: {', '.join(BASELINES)}")
    module, _, attribute = BASELINES[name].partition(":")
    return cast(Baseline, getattr(import_module(module), attribute)(getattr(options, name)))
