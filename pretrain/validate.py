"""Validation and the vectors that leave pretraining: both encode users over a whole history."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from graphrec.core.seeds import generator
from graphrec.core.types import FloatArray, Index, IntArray
from graphrec.encoders.base import MultiDomainEncoder, Nodes
from graphrec.graph.graph import MultiDomainGraph
from graphrec.graph.histories import Histories
from graphrec.metrics.measures import hit_rate, ndcg
from graphrec.metrics.ranking import Ranks, rank
from graphrec.metrics.scorers import VectorScorer

_BLOCK = 8192
"""Users encoded at a time."""

CUTOFF = 10


@dataclass(frozen=True)
class Validation:
    """Full ranking of the validation events of each domain, the train events being the history.

    Where a domain has more than `limit` users to rank for, that many are drawn, the same in every epoch.
    """

    graph: MultiDomainGraph
    histories: Histories
    limit: int | None = None
    seed: int = 0

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
        with torch.no_grad():
            nodes = encoder.nodes()
        for index, domain in enumerate(encoder.domains):
            events, catalog = self.graph.events[domain], self.graph.catalog[domain]
            user, item = self._asked(domain, events.user[events.valid], events.item[events.valid])
            if not len(user):
                continue
            users, row = np.unique(user, return_inverse=True)
            z = encode_rows(encoder, nodes, self.histories, users, index)
            scorer = VectorScorer(z, encode_items(encoder, nodes, catalog))
            seen = self.histories.seen(users, index, catalog)
            ranks = rank(scorer, row, np.searchsorted(catalog, item), seen).ranks
            yield domain, replace(ranks, user=users[ranks.user])

    def _asked(self, domain: str, user: Index, item: Index) -> tuple[IntArray, IntArray]:
        users = np.unique(user)
        if self.limit is not None and len(users) > self.limit:
            drawn = generator(self.seed, "validation", domain).choice(users, self.limit, replace=False)
            asked = np.isin(user, drawn)
            user, item = user[asked], item[asked]
        return user.astype(np.int64), item.astype(np.int64)


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
