"""What pretraining minimises: predict each event of a domain from the user's other events, in all domains."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from graphrec.core.seeds import generator
from graphrec.core.types import FloatArray, IntArray
from graphrec.encoders.base import MultiDomainEncoder
from graphrec.graph.graph import MultiDomainGraph
from graphrec.graph.histories import Bags, Histories
from graphrec.losses.ranking import Offers
from graphrec.losses.registry import make_loss
from graphrec.samplers.negatives import NegativeSampler
from pretrain.config import PretrainConfig
from pretrain.validate import Validation


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Events of one domain. `pos`, `neg` are positions in its catalogue; `on` [num_rows, num_domains] is 0 or 1."""

    domain: int
    bags: Bags
    pos: IntArray
    neg: IntArray
    on: FloatArray


class PretrainTask:
    """Training events of `domains`, drawn by size to a power, with views switched off at random.

    A batch holds one domain, so that its negatives are items which the domain could have offered.
    """

    def __init__(
        self,
        encoder: MultiDomainEncoder,
        graph: MultiDomainGraph,
        config: PretrainConfig,
        validation: Validation,
        seed: int,
    ) -> None:
        self.encoder, self.config, self.seed, self.validation = encoder, config, seed, validation
        self.histories = Histories.of(graph, encoder.domains, with_valid=False)
        self.catalogs = [graph.catalog[domain] for domain in encoder.domains]
        self.events = [self._usable(domain) for domain in range(len(self.catalogs))]
        self.samplers = [self._sampler(domain) for domain in range(len(self.catalogs))]
        self.loss_of = make_loss(config.loss, config.temperature)
        if config.cold_items:
            self._blank_cold_items()

    def parameters(self) -> dict[str, torch.nn.Parameter]:
        """Return the encoder's parameters."""
        return dict(self.encoder.named_parameters())

    def batches(self, epoch: int) -> Iterator[Batch]:
        """Yield the batches of `epoch`, domains mixed."""
        rng = generator(self.seed, "pretrain", epoch)
        size = self.config.fit.batch_size
        drawn = [self._draw(rng, domain, share) for domain, share in enumerate(self._shares())]
        starts = [(domain, start) for domain, events in enumerate(drawn) for start in range(0, len(events), size)]
        for domain, start in rng.permutation(np.array(starts, dtype=np.int64).reshape(-1, 2)):
            yield self._batch(rng, int(domain), drawn[domain][start : start + size])

    def loss(self, batch: Batch) -> torch.Tensor:
        """Return the ranking loss of each left-out event against the shared negatives."""
        nodes, device = self.encoder.nodes(), self.encoder.gate.device
        on = torch.from_numpy(batch.on).to(device)
        z = self.encoder.users(self.encoder.views(nodes, batch.bags), batch.domain, on)  # [num_rows, dim]
        pos_place, neg_place = (torch.from_numpy(a).to(device) for a in (batch.pos, batch.neg))
        catalog = torch.from_numpy(self.catalogs[batch.domain]).to(device)
        pos, neg = (self.encoder.offered(nodes, catalog[place]) for place in (pos_place, neg_place))
        log_q = torch.from_numpy(self.samplers[batch.domain].log_q).to(device)
        offers = Offers(
            pos=pos,
            neg=neg,
            pos_item=pos_place,
            neg_item=neg_place,
            pos_log_q=log_q[pos_place],
            neg_log_q=log_q[neg_place],
        )
        return self.loss_of.of_vectors(z, offers)

    def validate(self) -> float | None:
        """Return the mean NDCG@10 over the domains that have validation events."""
        return self.validation.mean_ndcg(self.encoder)

    def _usable(self, domain: int) -> IntArray:
        # An event tells nothing about a user who has no other one.
        histories = self.histories
        total = np.bincount(histories.user, minlength=histories.num_users)
        return np.flatnonzero((histories.domain == domain) & (total[histories.user] > 1)).astype(np.int64)

    def _sampler(self, domain: int) -> NegativeSampler:
        catalog, histories = self.catalogs[domain], self.histories
        place = np.searchsorted(catalog, histories.item[histories.domain == domain])
        popularity = np.bincount(place, minlength=len(catalog))
        return NegativeSampler.of(popularity, self.config.negative_power, met_only=self.config.cold_items)

    @torch.no_grad()
    def _blank_cold_items(self) -> None:
        # An item that nobody met has nothing to say of itself; beside a random start its knowledge would drown.
        met = np.isin(np.concatenate(self.catalogs), self.histories.item)
        cold = torch.from_numpy(np.concatenate(self.catalogs)[~met]).to(self.encoder.gate.device)
        for table in self.encoder.item_parameters():
            table[cold] = 0

    def _shares(self) -> IntArray:
        size = np.array([len(events) for events in self.events], dtype=np.float64)
        mass = size**self.config.balance * (size > 0)
        share: IntArray = np.round(size.sum() * mass / max(mass.sum(), 1.0)).astype(np.int64)
        return share

    def _draw(self, rng: np.random.Generator, domain: int, share: int) -> IntArray:
        events = self.events[domain]
        rounds = -(-share // len(events)) if share else 0
        return np.concatenate([events[:0], *(rng.permutation(events) for _ in range(rounds))])[:share]

    def _batch(self, rng: np.random.Generator, domain: int, events: IntArray) -> Batch:
        bags = self.histories.around(events, self.encoder.reach)
        pos = np.searchsorted(self.catalogs[domain], self.histories.item[events])
        neg = self.samplers[domain].draw(rng, self.config.num_negatives)
        if self.config.in_batch:
            neg = np.concatenate([neg, pos])
        return Batch(domain=domain, bags=bags, pos=pos, neg=neg, on=self._switches(rng, bags))

    def _switches(self, rng: np.random.Generator, bags: Bags) -> FloatArray:
        on = rng.random(bags.known.shape) >= self.config.view_dropout
        # A row with all its views off would teach nothing.
        on |= ~(on & bags.known).any(axis=1, keepdims=True)
        return on.astype(np.float32)
