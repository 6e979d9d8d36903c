"""Latent interests: topics as points, persons as directions, and what a person wants in each domain.

A person wants topic k of domain d with probability softmax_k(focus * <v, c_k> + b_k), where v is the
interest that the domain's role assigns to the person:

- target: the lasting interest u; a share of the early events follows the passing interest p instead,
- helpful: near u (correlation `helpful_alignment`),
- irrelevant: drawn afresh, and the topics stand for other points than in the target,
- harmful: p. It explains the target's past as well as u does, but not the next event.

Where no user is shared, u and p mean nothing across domains. There the role lies in the points: a
helpful domain keeps the target's, so topics wanted together in one are wanted together in the other;
an irrelevant one permutes them at random; all harmful ones share one permutation that brings
together what the target keeps apart.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graphrec.core.seeds import generator
from graphrec.core.types import IntArray
from graphrec.data.simulate.config import InterestConfig
from graphrec.data.simulate.plan import HARMFUL, HELPFUL, IRRELEVANT, Domain

Real = NDArray[np.float64]
"""Latent vectors and probabilities; double, so that sums over many users stay exact enough."""

_TRIED = 300


@dataclass(frozen=True)
class Latent:
    """centres: [topics, dims], unit rows; lasting, passing: [persons, dims]; points: domain -> centre of each topic."""

    centres: Real
    lasting: Real
    passing: Real
    points: dict[str, IntArray]


def draw_latent(config: InterestConfig, domains: list[Domain], num_persons: int, seed: int) -> Latent:
    """Draw the space of topics, every person's two interests, and what the topics mean in each domain."""
    rng = generator(seed, "simulate", "latent")
    centres = rng.normal(size=(config.topics, config.dims))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    lasting = rng.normal(size=(num_persons, config.dims))
    passing = mixed(lasting, config.harmful_alignment, rng)
    crossed = _crossed(centres, rng)
    points = {}
    for domain in domains:
        # Drawn for every domain, used by some: a change of one role leaves the other domains as they were.
        fresh = rng.permutation(config.topics)
        known = {IRRELEVANT: fresh, HARMFUL: crossed}
        points[domain.name] = known.get(domain.role, np.arange(config.topics))
    return Latent(centres, lasting, passing, points)


def mixed(base: Real, correlation: float, rng: np.random.Generator) -> Real:
    """Return standard normal vectors of the shape of `base` whose entries correlate with it as told."""
    other: Real = rng.normal(size=base.shape)
    return correlation * base + float(np.sqrt(1 - correlation**2)) * other


def interests(config: InterestConfig, latent: Latent, domain: Domain, seed: int) -> Real:
    """Return the interest of each user of `domain`, `[users, dims]`; in the target, the lasting one."""
    rng, lasting = generator(seed, "simulate", "interest", domain.name), latent.lasting[domain.users]
    if domain.role == HELPFUL:
        return mixed(lasting, config.helpful_alignment, rng)
    if domain.role == IRRELEVANT:
        return rng.normal(size=lasting.shape)
    return latent.passing[domain.users] if domain.role == HARMFUL else lasting


def topic_shares(config: InterestConfig, vectors: Real, points: Real, bias: Real) -> Real:
    """Return `[users, topics]`: the probability that a user's next event is in each topic."""
    logits = config.focus * vectors @ points.T + bias
    # The greatest logit is taken off first, so that a sharp focus does not overflow.
    weight = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: Real = weight / weight.sum(axis=1, keepdims=True)
    return shares


def _crossed(centres: Real, rng: np.random.Generator) -> IntArray:
    """Return, of many random permutations, the one whose points disagree most with the given ones."""
    gram = centres @ centres.T
    tried = [rng.permutation(len(centres)) for _ in range(_TRIED)]
    return min(tried, key=lambda order: float((gram * gram[np.ix_(order, order)]).sum()))
