"""What both stages minimise: predict each event of the target from the user's other events and source views."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from finetune.config import ModelConfig
from finetune.model import Transfer
from finetune.target import Target
from graphrec.core.seeds import generator
from graphrec.core.types import BoolArray, FloatArray, IntArray, Scorer
from graphrec.graph.histories import Bags
from graphrec.losses.ranking import Offers
from graphrec.losses.sampled_softmax import SampledSoftmax
from graphrec.metrics.measures import Values, ndcg
from graphrec.metrics.popularity import choose_weight, with_prior
from graphrec.metrics.ranking import rank
from graphrec.samplers.negatives import NegativeSampler

CUTOFF = 10
"""Everything is chosen by NDCG at this cut-off."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Left-out events: own histories, source views [num_rows, num_sources, view_dim], item numbers."""

    bags: Bags
    views: FloatArray
    pos: IntArray
    neg: IntArray


class TransferTask:
    """Training of one `Transfer` model on one history of the target."""

    def __init__(
        self, model: Transfer, config: ModelConfig, history: str, *, batch_size: int, seed: int, validate: bool
    ) -> None:
        self.model, self.config, self.history, self.seed = model, config, history, seed
        self.batch_size, self.with_validation = batch_size, validate
        self.histories = model.target.histories(history)
        self.events = usable_events(model, history)
        popularity = np.bincount(self.histories.item, minlength=model.target.num_items)
        self.sampler = NegativeSampler.of(popularity, config.negative_power)
        self.loss_of = SampledSoftmax(config.temperature)

    def parameters(self) -> dict[str, torch.nn.Parameter]:
        """Return the model's parameters."""
        return self.model.parameters_by_name()

    def batches(self, epoch: int) -> Iterator[Batch]:
        """Yield the usable events of `epoch` in random order, source views switched off at random."""
        rng = generator(self.seed, "transfer", epoch)
        order = rng.permutation(self.events)
        for start in range(0, len(order), self.batch_size):
            events = order[start : start + self.batch_size]
            views = self.model.source_views(self.histories.user[events], self.history)
            yield Batch(
                bags=self.histories.around(events, self.model.encoder.reach),
                views=dropped(views, self.config.view_dropout, rng),
                pos=self.histories.item_of(events),
                neg=self.sampler.draw(rng, self.config.num_negatives),
            )

    def loss(self, batch: Batch) -> torch.Tensor:
        """Return the sampled softmax of the left-out events against the shared negatives."""
        nodes = self.model.encoder.nodes()
        z = self.model.users(nodes, batch.bags, batch.views)  # [num_rows, dim]
        pos_item, neg_item = (torch.from_numpy(ids).to(z.device) for ids in (batch.pos, batch.neg))
        offered = self.model.encoder.offered
        return ranking_loss(
            self.loss_of, z, offered(nodes, pos_item), offered(nodes, neg_item), pos_item, neg_item, self.sampler
        )

    def validate(self) -> float | None:
        """Return the mean NDCG@10 over the validation users, None when there are none."""
        if not self.with_validation or not len(self.model.target.valid[0]):
            return None
        return float(self.values().mean())

    def values(self, popularity: float = 0.0) -> Values:
        """Return the NDCG@10 of each validation user, by ascending user, with that weight of an item's popularity."""
        user = self.model.target.valid[0]
        return user_ndcg(self.model.target, self.model.scorer(self.history, popularity, np.unique(user)))

    def choose_popularity(self) -> float:
        """Return the weight of an item's popularity with which the validation users are served best."""
        user = self.model.target.valid[0]
        if not len(user):
            return 0.0
        plain = self.model.scorer(self.history, 1.0, np.unique(user))
        unit, prior = plain.item[:, :-1], plain.item[:, -1]

        def score_at(weight: float) -> float:
            return float(user_ndcg(self.model.target, with_prior(plain.user[:, :-1], unit, weight * prior)).mean())

        return choose_weight(score_at, self.config.temperature)


def usable_events(model: Transfer, history: str) -> IntArray:
    """Return the events from which something is left to predict: another event, or a source view of the user."""
    histories = model.target.histories(history)
    known = np.bincount(histories.user, minlength=histories.num_users) > 1
    known |= has_view(model.target, model.domains, history)
    return np.flatnonzero(known[histories.user]).astype(np.int64)


def has_view(target: Target, domains: tuple[str, ...], history: str) -> BoolArray:
    """Return which users have a view of any of `domains`, `[num_users]`."""
    found = np.zeros(target.graph.num_users, dtype=np.bool_)
    for domain in domains:
        found |= target.views[history][domain].any(axis=1)
    return found


def dropped(views: FloatArray, rate: float, rng: np.random.Generator) -> FloatArray:
    """Return `views` with each one zeroed by chance `rate`."""
    on = rng.random(views.shape[:2]) >= rate
    return views * on[:, :, None].astype(np.float32)


def ranking_loss(
    loss_of: SampledSoftmax,
    z: torch.Tensor,
    pos_vector: torch.Tensor,
    neg_vector: torch.Tensor,
    pos_item: torch.Tensor,
    neg_item: torch.Tensor,
    sampler: NegativeSampler,
) -> torch.Tensor:
    """Return the loss of user vectors `z` [num_rows, dim]; a negative that is the positive does not count."""
    log_q = torch.from_numpy(sampler.log_q).to(z.device)
    offers = Offers(
        pos=pos_vector,
        neg=neg_vector,
        pos_item=pos_item,
        neg_item=neg_item,
        pos_log_q=log_q[pos_item],
        neg_log_q=log_q[neg_item],
    )
    return loss_of.of_vectors(z, offers)


def user_ndcg(target: Target, scorer: Scorer, users: IntArray | None = None) -> Values:
    """Return the NDCG@10 of each validation user, or of `users` alone, over all unseen items, by ascending user."""
    user, item = target.valid
    if users is not None:
        asked = np.isin(user, users)
        user, item = user[asked], item[asked]
    return ndcg(rank(scorer, user, item, target.seen).ranks, CUTOFF)


def gain(values: Values, against: Values) -> tuple[float, float]:
    """Return the mean difference per user and its standard error."""
    delta = values - against
    error = delta.std(ddof=1) / np.sqrt(len(delta)) if len(delta) > 1 else 0.0
    return float(delta.mean()), float(error)
