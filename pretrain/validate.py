"""Validation and the vectors that leave pretraining: both encode users over a whole history."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.sparse import csr_array

from graphrec.core.seeds import generator
from graphrec.core.types import FloatArray, Index, IntArray
from graphrec.encoders.base import MultiDomainEncoder, Nodes
from graphrec.graph.graph import MultiDomainGraph
from graphrec.graph.histories import Histories
from graphrec.metrics.measures import hit_rate, ndcg
from graphrec.metrics.popularity import choose_weight, popularity_prior, with_prior
from graphrec.metrics.ranking import Ranks, rank
from graphrec.metrics.scorers import VectorScorer

_BLOCK = 8192
"""Users encoded at a time."""

CUTOFF = 10


@dataclass(frozen=True)
class Validation:
    """Full ranking of the validation events of each domain, the train events being the history.

    Where a domain has more than `limit` users to rank for, that many are drawn, the same in every epoch.
    `popularity` is its weight in the scores (see `graphrec.metrics.popularity`).
    """

    graph: MultiDomainGraph
    histories: Histories
    limit: int | None = None
    seed: int = 0
    popularity: float = 0.0

    @classmethod
    def of(cls, graph: MultiDomainGraph, domains: Sequence[str]) -> "Validation":
        """Prepare the validation of `domains` on all their users."""
        return cls(graph, Histories.of(graph, domains, with_valid=False))

    def mean_ndcg(self, encoder: MultiDomainEncoder) -> float | None:
        """Return the mean NDCG@10 over domains, None when no domain has a validation event."""
        values = [float(ndcg(ranks, CUTOFF).mean()) for _, ranks in self.ranks(encoder)]
        return float(np.mean(values)) if values else None

    def scores(self, encoder: MultiDomainEncoder) -> dict[str, dict[str, float]]:
        """Return {domain: {"ndcg": , "hr": }} at 10, for the domains that have validation events."""
        measures = {"ndcg": ndcg, "hr": hit_rate}
        return {
            domain: {name: float(measure(ranks, CUTOFF).mean()) for name, measure in measures.items()}
            for domain, ranks in self.ranks(encoder)
        }

    def ranks(self, encoder: MultiDomainEncoder) -> Iterator[tuple[str, Ranks]]:
        """Yield the ranks of the validation events of each domain that has any."""
        for case in self._cases(encoder):
            yield case.domain, case.ranks(self.popularity)

    def choose_popularity(self, encoder: MultiDomainEncoder, unit: float) -> dict[str, float]:
        """Return, by domain, how much popularity is to add to scores; `unit` is the temperature of the loss."""
        return {
            case.domain: choose_weight(lambda weight, case=case: float(ndcg(case.ranks(weight), CUTOFF).mean()), unit)  # type: ignore[misc]
            for case in self._cases(encoder)
        }

    def _cases(self, encoder: MultiDomainEncoder) -> "Iterator[_Case]":
        with torch.no_grad():
            nodes = encoder.nodes()
        for index, domain in enumerate(encoder.domains):
            events, catalog = self.graph.events[domain], self.graph.catalog[domain]
            user, item = self._asked(domain, events.user[events.valid], events.item[events.valid])
            if not len(user):
                continue
            users, row = np.unique(user, return_inverse=True)
            yield _Case(
                domain=domain,
                users=users,
                row=row,
                place=np.searchsorted(catalog, item),
                z=encode_rows(encoder, nodes, self.histories, users, index),
                items=encode_items(encoder, nodes, catalog),
                seen=self.histories.seen(users, index, catalog),
                count=count_events(self.histories, index, catalog),
            )

    def _asked(self, domain: str, user: Index, item: Index) -> tuple[IntArray, IntArray]:
        users = np.unique(user)
        if self.limit is not None and len(users) > self.limit:
            drawn = generator(self.seed, "validation", domain).choice(users, self.limit, replace=False)
            asked = np.isin(user, drawn)
            user, item = user[asked], item[asked]
        return user.astype(np.int64), item.astype(np.int64)


@dataclass(frozen=True, kw_only=True)
class _Case:
    """One domain's validation: `users` by row, the events asked for, what was seen, and all vectors."""

    domain: str
    users: IntArray
    row: IntArray
    place: IntArray
    z: FloatArray
    items: FloatArray
    seen: csr_array
    count: IntArray

    def ranks(self, popularity: float) -> Ranks:
        """Return the ranks of the events with that weight of an item's popularity."""
        prior = popularity_prior(self.count, popularity)
        scorer = with_prior(self.z, self.items, prior) if popularity else VectorScorer(self.z, self.items)
        ranks = rank(scorer, self.row, self.place, self.seen).ranks
        return replace(ranks, user=self.users[ranks.user])


def count_events(histories: Histories, domain: int, catalog: IntArray) -> IntArray:
    """Return how many events of `histories` each item of the domain's `catalog` has."""
    place = np.searchsorted(catalog, histories.item[histories.of_domain(domain)])
    return np.bincount(place, minlength=len(catalog)).astype(np.int64)


def encode_users(
    encoder: MultiDomainEncoder, nodes: Nodes, histories: Histories, users: IntArray, domain: int
) -> FloatArray:
    """Return gated user vectors for one domain, `[num_users, dim]`; rows of others than `users` are zero."""
    z = np.zeros((histories.num_users, encoder.dim), dtype=np.float32)
    z[users] = encode_rows(encoder, nodes, histories, users, domain)
    return z


@torch.no_grad()
def encode_rows(
    encoder: MultiDomainEncoder, nodes: Nodes, histories: Histories, users: IntArray, domain: int
) -> FloatArray:
    """Return gated vectors of `users` for one domain, `[len(users), dim]`."""
    z = np.empty((len(users), encoder.dim), dtype=np.float32)
    for start in range(0, len(users), _BLOCK):
        block = users[start : start + _BLOCK]
        views = encoder.views(nodes, histories.latest(block, encoder.reach))
        z[start : start + _BLOCK] = encoder.users(views, domain).cpu().numpy()
    return z


@torch.no_grad()
def encode_views(encoder: MultiDomainEncoder, nodes: Nodes, histories: Histories) -> dict[str, FloatArray]:
    """Return every user's view of every domain, {domain: [num_users, dim]}, zero rows where there is none."""
    found = {domain: np.zeros((histories.num_users, encoder.dim), dtype=np.float32) for domain in encoder.domains}
    for start in range(0, histories.num_users, _BLOCK):
        block = np.arange(start, min(start + _BLOCK, histories.num_users))
        views = encoder.views(nodes, histories.latest(block, encoder.reach)).cpu().numpy()
        for index, domain in enumerate(encoder.domains):
            found[domain][block] = views[:, index]
    return found


@torch.no_grad()
def encode_items(encoder: MultiDomainEncoder, nodes: Nodes, items: IntArray) -> FloatArray:
    """Return unit item vectors for scoring, `[len(items), dim]`."""
    offered: FloatArray = encoder.offered(nodes, torch.from_numpy(items).to(nodes.score.device)).cpu().numpy()
    return offered
