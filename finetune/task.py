"""What both stages minimise: predict each event of the target from the user's other events and source views."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch

from finetune.channels import OWN, POPULARITY, USERS, Parts, View, scorer_of
from finetune.config import ModelConfig
from finetune.model import Transfer, new_encoder
from finetune.target import Target
from graphrec.core.config import to_mapping
from graphrec.core.progress import logger
from graphrec.core.seeds import derive_seed, generator
from graphrec.core.tracking import Tracker
from graphrec.core.types import FloatArray, IntArray, Scorer
from graphrec.core.workspace import Workspace
from graphrec.encoders.base import MultiDomainEncoder
from graphrec.encoders.cold import begin_cold
from graphrec.encoders.pretrained import TRAIN
from graphrec.graph.histories import Bags
from graphrec.losses.ranking import Offers
from graphrec.losses.sampled_softmax import SampledSoftmax
from graphrec.metrics.measures import Values, ndcg
from graphrec.metrics.ranking import rank
from graphrec.samplers.negatives import NegativeSampler
from graphrec.training.config import FitConfig
from graphrec.training.loop import FitResult, fit

BASE = "base-train"
"""The checkpoint of the target's own encoder, by train events: adapt goes on from that of select, if options agree."""

_MANY_UNMET = 0.5
"""Share of the validation events from which a log line names `cold_items`."""

CUTOFF = 10
"""Everything is told by NDCG at this cut-off."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Left-out events: own histories, source views [num_rows, num_sources, view_dim], item numbers."""

    bags: Bags
    views: FloatArray
    pos: IntArray
    neg: IntArray
    seed: int


class TransferTask:
    """Training of a `Transfer` model on one history; `weight` holds the channels' weights for validation.

    `tuned` names what is trained: "encoder", "map" or both. Where `validate` is off nothing is chosen.
    """

    def __init__(
        self,
        model: Transfer,
        config: ModelConfig,
        history: str,
        *,
        batch_size: int,
        seed: int,
        validate: bool,
        tuned: tuple[str, ...] = ("encoder", "map"),
        weight: Mapping[str, float] | None = None,
        parts: Parts | None = None,
        view_dropout: float = 0.0,
    ) -> None:
        self.model, self.config, self.history, self.seed = model, config, history, seed
        self.batch_size, self.with_validation, self.tuned = batch_size, validate, tuned
        self.weight, self.view_dropout = dict(weight or {OWN: 1.0, POPULARITY: 0.0}), view_dropout
        self.histories, self.parts = model.target.histories(history), parts or Parts()
        self.events = self._usable()
        popularity = np.bincount(self.histories.item, minlength=model.target.num_items)
        self.sampler = NegativeSampler.of(popularity, config.negative_power, met_only=config.cold_items)
        # Scores are already logits: the scale of the own view stands for the temperature.
        self.loss_of = SampledSoftmax(1.0)

    @property
    def _blanks(self) -> bool:
        # What describes an item can only learn to stand for it where the encoder is trained.
        return self.config.cold_items and "encoder" in self.tuned

    def parameters(self) -> dict[str, torch.nn.Parameter]:
        """Return what is trained: without the encoder's own gate, which has nothing to weigh with one domain."""
        return {
            name: p
            for name, p in self.model.named_parameters()
            if name != "encoder.gate" and p.numel() and name.split(".")[0] in self.tuned
        }

    def batches(self, epoch: int) -> Iterator[Batch]:
        """Yield the usable events of `epoch` in random order, source views switched off at random."""
        rng = generator(self.seed, "transfer", epoch)
        order = rng.permutation(self.events)
        for start in range(0, len(order), self.batch_size):
            events = order[start : start + self.batch_size]
            views = self.model.views(self.histories.user[events].astype(np.int64), self.history)
            on = rng.random(views.shape[:2]) >= self.view_dropout
            yield Batch(
                bags=self.histories.around(events, self.model.encoder.reach),
                views=views * on[:, :, None].astype(np.float32),
                pos=self.histories.item_of(events),
                neg=self.sampler.draw(rng, self.config.num_negatives),
                seed=derive_seed(self.seed, "transfer", epoch, start),
            )

    def loss(self, batch: Batch) -> torch.Tensor:
        """Return the sampled softmax of the left-out events; a negative that is the positive does not count."""
        encoder = self.model.encoder
        encoder.blank(self.config.cold_dropout, batch.seed if self._blanks else None)
        nodes = encoder.nodes()
        encoder.blank(0.0, None)
        z = self.model.users(nodes, batch.bags, batch.views)  # [num_rows, dim]
        pos_item, neg_item = (torch.from_numpy(ids).to(z.device) for ids in (batch.pos, batch.neg))
        log_q = torch.from_numpy(self.sampler.log_q).to(z.device)
        offers = Offers(
            pos=encoder.offered(nodes, pos_item),
            neg=encoder.offered(nodes, neg_item),
            pos_item=pos_item,
            neg_item=neg_item,
            pos_log_q=log_q[pos_item],
            neg_log_q=log_q[neg_item],
        )
        return self.loss_of.of_vectors(z, offers)

    def validate(self) -> float | None:
        """Return the mean NDCG@10 over the validation users, None when there are none.

        Without sources only those count who have a history in the target: on the others it cannot tell epochs apart.
        """
        target = self.model.target
        users = np.unique(target.valid[0])
        if not self.model.sources:
            users = users[np.isin(users, self.histories.user)]
        if not self.with_validation or not len(users):
            return None
        view = View.of(self.model.encoder, target, self.history, users)
        weight = self.weight | {f"{USERS}:{name}": 1.0 for name in self.model.sources}
        channels = view.channels(replace(self.parts, maps=self.model.maps), weight)
        return float(user_ndcg(target, scorer_of(channels, weight), users).mean())

    def _usable(self) -> IntArray:
        # What is left to predict an event from: another event, or a source view of the user.
        histories = self.histories
        known = np.bincount(histories.user, minlength=histories.num_users) > 1
        for name in self.model.sources:
            known |= self.model.target.views[self.history][name].any(axis=1)
        return np.flatnonzero(known[histories.user]).astype(np.int64)


def fit_own(
    target: Target,
    config: ModelConfig,
    options: FitConfig,
    history: str = TRAIN,
    *,
    seed: int,
    workspace: Workspace,
    tracker: Tracker,
    stop: int | None = None,
) -> tuple[MultiDomainEncoder, FitResult]:
    """Train the target's own encoder without sources; on the train events validation chooses the epoch."""
    encoder = new_encoder(target, config, seed)
    _advise(target, config, history, encoder)
    if config.cold_items:
        begin_cold(encoder, target.histories(history), [np.arange(target.num_items, dtype=np.int64)])
    model = Transfer(encoder, target, {}, {OWN: 1 / config.temperature})
    task = TransferTask(
        model, config, history, batch_size=options.batch_size, seed=seed, validate=history == TRAIN, tuned=("encoder",)
    )
    label, about = BASE if history == TRAIN else f"base-{history}", to_mapping(config)
    result = fit(task, options, seed=seed, workspace=workspace, tracker=tracker, label=label, about=about, stop=stop)
    return encoder, result


def _advise(target: Target, config: ModelConfig, history: str, encoder: MultiDomainEncoder) -> None:
    """Tell whoever validates on items without an event that these can be placed."""
    asked = target.valid[1]
    if config.cold_items or history != TRAIN or not len(asked):
        return
    unmet = float((np.isin(asked, encoder.described) & ~np.isin(asked, target.histories(TRAIN).item)).mean())
    if unmet >= _MANY_UNMET:
        logger.warning(
            "%s: %.0f %% of the validation events are of items without a train event: set select.model.cold_items and "
            "adapt.model.cold_items to true, so that the triples on them place them",
            target.domain,
            100 * unmet,
        )


def user_ndcg(target: Target, scorer: Scorer, users: IntArray) -> Values:
    """Return the NDCG@10 of each of `users`, ascending, over all unseen items; row r of the scorer is `users[r]`."""
    user, item = target.valid
    asked = np.isin(user, users)
    row = np.searchsorted(users, user[asked])
    return ndcg(rank(scorer, row, item[asked], target.seen[users]).ranks, CUTOFF)


def gain(values: Values, against: Values) -> tuple[float, float]:
    """Return the mean difference per user and its standard error."""
    delta = values - against
    error = delta.std(ddof=1) / np.sqrt(len(delta)) if len(delta) > 1 else 0.0
    return float(delta.mean()), float(error)
