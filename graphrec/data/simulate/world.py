"""Simulate: a planted world in memory, its tables, and the truth about them."""

from dataclasses import dataclass

import polars as pl

from graphrec.core.errors import ConfigError
from graphrec.data.simulate.behaviour import Behaviour, play
from graphrec.data.simulate.config import WorldConfig
from graphrec.data.simulate.latent import Latent, draw_latent
from graphrec.data.simulate.plan import HELPFUL, draw_domains
from graphrec.data.simulate.tables import make, truth_tables, world_tables


@dataclass(frozen=True, eq=False)
class World:
    """A planted world.

    tables: interactions, items, triples, links, in canonical columns.
    truth: domains, users, items, topics, relevance, triples, entities; nothing of it shows in `tables`.
    played: the domains in internal numbers, the target first, for measuring.
    """

    config: WorldConfig
    seed: int
    tables: dict[str, pl.DataFrame]
    truth: dict[str, pl.DataFrame]
    played: tuple[Behaviour, ...]

    @property
    def target(self) -> str:
        """Return the name of the target domain."""
        return self.played[0].domain.name

    @property
    def true_subset(self) -> list[str]:
        """Return the names of the domains that help the target, sorted."""
        return sorted(p.domain.name for p in self.played if p.domain.role == HELPFUL)

    def roles(self) -> dict[str, str]:
        """Return domain -> role, the target included."""
        return {p.domain.name: p.domain.role for p in self.played}


def play_domains(config: WorldConfig, seed: int) -> tuple[Behaviour, ...]:
    """Return the domains as played, the target first: all that measuring needs, without text and triples."""
    return _played(config, seed)[1]


def simulate(config: WorldConfig, seed: int) -> World:
    """Draw a world; equal arguments give equal tables, on every machine with the same NumPy.

    Raises `ConfigError` where the sizes leave a topic without items.
    """
    latent, played = _played(config, seed)
    made = make(config, latent, played, seed)
    tables = world_tables(config, made, seed)
    return World(config, seed, tables, truth_tables(made, tables["triples"]), played)


def _played(config: WorldConfig, seed: int) -> tuple[Latent, tuple[Behaviour, ...]]:
    domains, num_persons = draw_domains(config, seed)
    smallest = min(d.num_items for d in domains)
    if smallest < config.interest.topics:
        raise ConfigError(
            f"interest.topics: {config.interest.topics} topics, but the smallest domain has {smallest} items; "
            "give target_items and source_items more or interest.topics less"
        )
    latent = draw_latent(config.interest, domains, num_persons, seed)
    return latent, tuple(play(config, latent, domain, seed) for domain in domains)
