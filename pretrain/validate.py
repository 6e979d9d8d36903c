"""Validation and the vectors that leave pretraining: both encode users over a whole history."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import csr_array

from graphrec.core.types import FloatArray, IntArray
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
    """Full ranking of the validation events of each domain, the train events being the history."""

    graph: MultiDomainGraph
    histories: Histories

    @classmethod
    def of(cls, graph: MultiDomainGraph, domains: Sequence[str]) -> "Validation":
        """Prepare the validation of `domains`."""
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
            user, place = events.user, np.searchsorted(catalog, events.item)
            if not events.valid.any():
                continue
            z = encode_users(encoder, nodes, self.histories, np.unique(user[events.valid]), index)
            scorer = VectorScorer(z, encode_items(encoder, nodes, catalog))
            past = ~events.valid
            seen = csr_array(
                (np.ones(int(past.sum()), dtype=np.float32), (user[past], place[past])),
                shape=(self.graph.num_users, len(catalog)),
            )
            yield domain, rank(scorer, user[events.valid], place[events.valid], seen).ranks


@torch.no_grad()
def encode_users(
    encoder: MultiDomainEncoder, nodes: Nodes, histories: Histories, users: IntArray, domain: int
) -> FloatArray:
    """Return gated user vectors for one domain, `[num_users, dim]`; rows of others than `users` are zero."""
    z = np.zeros((histories.num_users, encoder.dim), dtype=np.float32)
    for start in range(0, len(users), _BLOCK):
        block = users[start : start + _BLOCK]
        views = encoder.views(nodes, histories.latest(block, encoder.reach))
        z[block] = encoder.users(views, domain).cpu().numpy()
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
