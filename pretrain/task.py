"""What pretraining minimises: predict each event of a domain from the user's other events, in all domains."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from graphrec.core.seeds import derive_seed, generator
from graphrec.core.types import FloatArray, Index, IntArray
from graphrec.encoders.base import MultiDomainEncoder, Nodes
from graphrec.encoders.cold import begin_cold
from graphrec.encoders.part import Part
from graphrec.graph.graph import MultiDomainGraph
from graphrec.graph.histories import Bags, index_type
from graphrec.losses.ranking import Offers
from graphrec.metrics.popularity import popularity_prior
from graphrec.samplers.negatives import NegativeSampler
from pretrain.balance import DomainWeights, without_conflict
from pretrain.config import PretrainConfig
from pretrain.objectives.base import Step
from pretrain.objectives.registry import Objectives
from pretrain.validate import Validation, count_events


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Events of one domain. `pos`, `neg` are positions in its catalogue; `on` [num_rows, num_domains] is 0 or 1.

    `events` are those predicted, by their place in the histories. `seed` is that of the step's other random
    draws, one for all batches of a step. `part` says which rows the batch reads, None where it reads all.
    """

    domain: int
    events: Index
    bags: Bags
    pos: IntArray
    neg: IntArray
    on: FloatArray
    seed: int
    part: Part | None


class PretrainTask:
    """Training events of `domains`, drawn by size to a power, with views switched off at random.

    A batch holds one domain, so that its negatives are items which the domain could have offered. A
    step has one batch, or one of every domain where their gradients are compared. Where `sampled` is
    set, it reads the rows of its batches and no others.
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
        self.sampled, self.histories = False, validation.histories
        self.catalogs = [graph.catalog[domain] for domain in encoder.domains]
        self.events = self._usable()
        self.samplers = [self._sampler(domain) for domain in range(len(self.catalogs))]
        self.offsets = [self._offset(domain) for domain in range(len(self.catalogs))]
        self.objectives = Objectives(encoder, config, seed).to(encoder.gate.device)
        self.weights = DomainWeights(len(self.catalogs)).to(encoder.gate.device) if config.uncertainty else None
        if config.cold_items:
            begin_cold(encoder, self.histories, self.catalogs)

    def parameters(self) -> dict[str, torch.nn.Parameter]:
        """Return what is learned of the encoder, of the objectives and of the weights of domains."""
        parts = {"": self.encoder, "objectives.": self.objectives, "weights.": self.weights}
        named = ((f"{start}{name}", p) for start, part in parts.items() if part for name, p in part.named_parameters())
        return {name: p for name, p in named if p.requires_grad}

    @property
    def needs_all(self) -> tuple[str, ...]:
        """What needs all nodes in every step, so that `sampled` cannot be switched on."""
        found = {
            f"encoder {self.config.encoder.kind}": not self.encoder.tables,
            "masked_edges or kg_view": self.objectives.whole,
            "gradients: pcgrad": self._every_domain,
        }
        return tuple(name for name, needs in found.items() if needs)

    @property
    def _every_domain(self) -> bool:
        return self.config.gradients == "pcgrad"

    @property
    def num_steps(self) -> int:
        """How many steps an epoch has where each has one batch."""
        return sum(-(-int(share) // self.config.fit.batch_size) for share in self._shares())

    def batches(self, epoch: int) -> Iterator[Sequence[Batch]]:
        """Yield the batches of each step of `epoch`, domains mixed."""
        rng = generator(self.seed, "pretrain", epoch)
        drawn = [self._draw(rng, domain, share) for domain, share in enumerate(self._shares())]
        for number, step in enumerate(self._steps(rng, drawn)):
            seed = derive_seed(self.seed, "pretrain", epoch, number)
            yield [self._batch(rng, domain, events, seed) for domain, events in step]

    def loss(self, batches: Sequence[Batch]) -> torch.Tensor:
        """Return what the objectives make of the batches of a step; for several, the mean over them."""
        self.encoder.hide(self.objectives.hides(batches[0].seed))
        self.encoder.blank(self.config.cold_dropout, batches[0].seed if self.config.cold_items else None)
        self.encoder.leave_out(np.concatenate([batch.events for batch in batches]))
        nodes = None if self.sampled else self.encoder.nodes()
        self.encoder.leave_out(None)
        self.encoder.hide(None)
        losses: list[torch.Tensor] = [self.objectives(self._step(nodes, batch)) for batch in batches]
        self.encoder.blank(0.0, None)
        if self.weights is not None:
            losses = [self.weights(loss, batch.domain) for loss, batch in zip(losses, batches, strict=True)]
        if len(losses) == 1:
            return losses[0]
        return without_conflict(losses, list(self.parameters().values()), generator(batches[0].seed, "conflict"))

    def validate(self) -> float | None:
        """Return the mean NDCG@10 over the domains that have validation events."""
        return self.validation.mean_ndcg(self.encoder)

    def _step(self, whole: Nodes | None, batch: Batch) -> Step:
        encoder, device = self.encoder, self.encoder.gate.device
        nodes = whole if batch.part is None else encoder.nodes_of(batch.part)
        assert nodes is not None
        views, on = encoder.views(nodes, batch.bags), torch.from_numpy(batch.on).to(device)
        pos_place, neg_place = (torch.from_numpy(a).to(device) for a in (batch.pos, batch.neg))
        catalog = torch.from_numpy(self.catalogs[batch.domain]).to(device)
        pos, neg = (encoder.offered(nodes, catalog[place]) for place in (pos_place, neg_place))
        log_q = torch.from_numpy(self.offsets[batch.domain]).to(device)
        offers = Offers(
            pos=pos,
            neg=neg,
            pos_item=pos_place,
            neg_item=neg_place,
            pos_log_q=log_q[pos_place],
            neg_log_q=log_q[neg_place],
        )
        return Step(
            encoder=encoder,
            nodes=nodes,
            domain=batch.domain,
            user=torch.from_numpy(batch.bags.user).to(device),
            known=torch.from_numpy(batch.bags.known).to(device),
            item=catalog[pos_place],
            views=views,
            z=encoder.users(views, batch.domain, on),
            offers=offers,
            seed=batch.seed,
        )

    def _steps(self, rng: np.random.Generator, drawn: list[Index]) -> Iterator[list[tuple[int, Index]]]:
        """Yield (domain, events) for each batch of a step."""
        size = self.config.fit.batch_size
        if self._every_domain:
            rounds = -(-sum(map(len, drawn)) // size)
            for parts in zip(*(np.array_split(events, max(rounds, 1)) for events in drawn), strict=True):
                if step := [(domain, part) for domain, part in enumerate(parts) if len(part)]:
                    yield step
            return
        starts = [(domain, start) for domain, events in enumerate(drawn) for start in range(0, len(events), size)]
        for domain, start in rng.permutation(np.array(starts, dtype=np.int64).reshape(-1, 2)):
            yield [(int(domain), drawn[domain][start : start + size])]

    def _usable(self) -> list[Index]:
        # An event tells nothing about a user who has no other one.
        user, num_users = self.histories.user, self.histories.num_users
        several = np.bincount(user, minlength=num_users) > 1
        own = (self.histories.of_domain(domain) for domain in range(len(self.catalogs)))
        return [(np.flatnonzero(several[user[part]]) + part.start).astype(index_type(len(user))) for part in own]

    def _sampler(self, domain: int) -> NegativeSampler:
        count = count_events(self.histories, domain, self.catalogs[domain])
        return NegativeSampler.of(count, self.config.negative_power, met_only=self.config.cold_items)

    def _offset(self, domain: int) -> FloatArray:
        """Return what logits give up: how often an item is a negative, less what its popularity is worth."""
        count = count_events(self.histories, domain, self.catalogs[domain])
        log_q = self._log_q_in_batch(domain) if self.config.in_batch else self.samplers[domain].log_q
        return log_q - popularity_prior(count, self.config.popularity)

    def _log_q_in_batch(self, domain: int) -> FloatArray:
        """Return log q of the mixture: `num_negatives` by the sampler, and the items that the batch's events took."""
        events, catalog = self.events[domain], self.catalogs[domain]
        taken = np.bincount(np.searchsorted(catalog, self.histories.item_of(events)), minlength=len(catalog))
        drawn, rows = self.config.num_negatives, self._rows(domain)
        mass = drawn * np.exp(self.samplers[domain].log_q) + rows * taken / max(1, len(events))
        with np.errstate(divide="ignore"):
            log_q: FloatArray = np.log(mass / (drawn + rows)).astype(np.float32)
        return log_q

    def _rows(self, domain: int) -> float:
        """Return how many events of `domain` a step that has some of it holds, on the mean."""
        shares, size = self._shares(), self.config.fit.batch_size
        size *= self.config.distributed.processes * self.config.distributed.machines
        steps = -(-int(shares.sum() if self._every_domain else shares[domain]) // size)
        return float(shares[domain]) / max(1, steps) * self.config.fit.batch_size / size

    def _shares(self) -> IntArray:
        size = np.array([len(events) for events in self.events], dtype=np.float64)
        mass = size**self.config.balance * (size > 0)
        share: IntArray = np.round(size.sum() * mass / max(mass.sum(), 1.0)).astype(np.int64)
        return share

    def _draw(self, rng: np.random.Generator, domain: int, share: int) -> Index:
        events = self.events[domain]
        rounds = -(-share // len(events)) if share else 0
        return np.concatenate([events[:0], *(rng.permutation(events) for _ in range(rounds))])[:share]

    def _batch(self, rng: np.random.Generator, domain: int, events: Index, seed: int) -> Batch:
        bags = self.histories.around(events, self.encoder.reach)
        pos = np.searchsorted(self.catalogs[domain], self.histories.item_of(events))
        neg = self.samplers[domain].draw(rng, self.config.num_negatives)
        if self.config.in_batch:
            neg = np.concatenate([neg, pos])
        on, part = self._switches(rng, bags, domain), None
        if self.sampled:
            asked = self.objectives.asks(seed)
            offered = np.concatenate([self.catalogs[domain][np.concatenate([pos, neg])], asked])
            read = replace(bags, item=np.concatenate([bags.item, asked])) if len(asked) else bags
            part = self.encoder.part(read, offered, self.config.kg_fanout, rng)
        return Batch(domain=domain, events=events, bags=bags, pos=pos, neg=neg, on=on, seed=seed, part=part)

    def _switches(self, rng: np.random.Generator, bags: Bags, domain: int) -> FloatArray:
        on = rng.random(bags.known.shape) >= self.config.view_dropout
        # A domain's own view is there when it counts, so training does not go without it.
        on[:, domain] = True
        # A row with all its views off would teach nothing.
        on |= ~(on & bags.known).any(axis=1, keepdims=True)
        return on.astype(np.float32)
