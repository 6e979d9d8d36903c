"""The events of every domain and what the target's users will want next."""

from dataclasses import dataclass

import numpy as np

from graphrec.core.seeds import generator
from graphrec.core.types import BoolArray, IntArray
from graphrec.data.simulate.config import WorldConfig
from graphrec.data.simulate.events import (
    LAST,
    SWITCH,
    Catalogue,
    Events,
    Wishes,
    draw_catalogue,
    draw_counts,
    draw_events,
)
from graphrec.data.simulate.latent import Latent, Real, interests, topic_shares
from graphrec.data.simulate.plan import TARGET, Domain


@dataclass(frozen=True)
class Behaviour:
    """One domain as it was played.

    interest: [users, dims]; bias: [topics], appeal of each topic to all; wanted: [users, topics], the
    probability of each topic for a user's next event.
    """

    domain: Domain
    catalogue: Catalogue
    events: Events
    interest: Real
    bias: Real
    wanted: Real


def play(config: WorldConfig, latent: Latent, domain: Domain, seed: int) -> Behaviour:
    """Draw the catalogue and the events of one domain."""
    rng = generator(seed, "simulate", "events", domain.name)
    catalogue = draw_catalogue(domain.num_items, config.interest.topics, config.interest.skew, rng)
    points = latent.centres[latent.points[domain.name]]
    # Some topics sell better everywhere in a domain, which makes popularity a baseline worth beating.
    bias = 0.5 * rng.normal(size=config.interest.topics)
    interest = interests(config.interest, latent, domain, seed)
    wanted = topic_shares(config.interest, interest, points, bias)
    counts = draw_counts(len(domain.users), domain.mean_events, 3, domain.num_items // 4, rng)
    user = np.repeat(np.arange(len(counts)), counts)
    time, rows, shares = rng.random(len(user)), user, wanted
    if domain.role == TARGET:
        passing = topic_shares(config.interest, latent.passing[domain.users], points, bias)
        late = _is_late(counts)
        time = np.where(late, SWITCH + (1 - SWITCH) * time, SWITCH * time)
        shares = np.concatenate([wanted, passing])
        # Rows of the passing interests stand below those of the lasting ones.
        rows = user + len(wanted) * (~late & (rng.random(len(user)) < config.interest.passing_share))
    item = draw_events(user, rows, Wishes(shares, catalogue), rng)
    return Behaviour(domain, catalogue, Events(user, item, time), interest, bias, wanted)


def _is_late(counts: IntArray) -> BoolArray:
    """Tell which events are among the last of their user."""
    place = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return place >= np.repeat(counts - LAST, counts)
