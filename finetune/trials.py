"""Trials of a search over subsets: the target-only model frozen to arrays, and a light head per subset."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from finetune.config import SelectConfig
from finetune.model import Head, Transfer, bag_sizes, stack_views
from finetune.target import Target
from finetune.task import dropped, has_view, ranking_loss, user_ndcg
from graphrec.core.search import Point
from graphrec.core.seeds import generator
from graphrec.core.tracking import NullTracker
from graphrec.core.types import FloatArray, IntArray
from graphrec.core.workspace import Workspace
from graphrec.encoders.pretrained import TRAIN
from graphrec.losses.sampled_softmax import SampledSoftmax
from graphrec.metrics.measures import Values
from graphrec.metrics.scorers import VectorScorer
from graphrec.samplers.negatives import NegativeSampler
from graphrec.training.loop import fit

Subset = tuple[str, ...]
"""Names of source domains, in the target's order of sources."""


@dataclass(frozen=True, kw_only=True)
class Frozen:
    """The target-only model as arrays: what all trials share.

    Training rows are left-out events of users with a source view, with the own view and count of
    the events behind it; validation rows are distinct users. `base` are the NDCG@10 without any source.
    """

    target: Target
    user: IntArray
    pos: IntArray
    own: FloatArray
    count: IntArray
    valid_user: IntArray
    valid_own: FloatArray
    valid_count: IntArray
    item: FloatArray
    base: Values

    @classmethod
    @torch.no_grad()
    def of(cls, model: Transfer, max_events: int, seed: int) -> "Frozen":
        """Encode up to `max_events` training events and all validation users."""
        target, encoder, nodes = model.target, model.encoder, model.encoder.nodes()
        histories = target.histories(TRAIN)
        reached = has_view(target, target.sources, TRAIN)[histories.user]
        events = np.sort(generator(seed, "select", "events").permutation(np.flatnonzero(reached))[:max_events])
        bags = histories.around(events, encoder.reach)
        valid_user = np.unique(target.valid[0])
        valid_bags = histories.latest(valid_user, encoder.reach)
        item = model.item_vectors()
        return cls(
            target=target,
            user=histories.user[events],
            pos=histories.item_of(events),
            own=encoder.views(nodes, bags)[:, 0].cpu().numpy(),
            count=bag_sizes(bags),
            valid_user=valid_user,
            valid_own=encoder.views(nodes, valid_bags)[:, 0].cpu().numpy(),
            valid_count=bag_sizes(valid_bags),
            item=item,
            base=user_ndcg(target, VectorScorer(model.user_vectors(TRAIN, valid_user), item)),
        )


class HeadTask:
    """Training of the head of one subset; nothing else moves."""

    def __init__(self, frozen: Frozen, subset: Subset, config: SelectConfig, seed: int) -> None:
        self.frozen, self.subset, self.config, self.seed = frozen, subset, config, seed
        self.head = Head(len(subset), frozen.target.view_dim, frozen.item.shape[1])
        # Without a view of the subset a row is what it is, whatever the head.
        self.rows = np.flatnonzero(has_view(frozen.target, subset, TRAIN)[frozen.user])
        popularity = np.bincount(frozen.target.seen.indices, minlength=len(frozen.item)).astype(np.int64)
        self.sampler = NegativeSampler.of(popularity, config.model.negative_power)
        self.loss_of, self.item = SampledSoftmax(config.model.temperature), torch.from_numpy(frozen.item)

    def parameters(self) -> dict[str, torch.nn.Parameter]:
        """Return the head's parameters."""
        return dict(self.head.named_parameters())

    def batches(self, epoch: int) -> Iterator[tuple[IntArray, FloatArray, IntArray]]:
        """Yield training rows, their source views and shared negatives."""
        rng, size = generator(self.seed, "head", epoch), self.config.head.batch_size
        order = rng.permutation(self.rows)
        for start in range(0, len(order), size):
            rows = order[start : start + size]
            views = stack_views(self.frozen.target, self.subset, self.frozen.user[rows], TRAIN)
            yield rows, dropped(views, self.config.model.view_dropout, rng), self._negatives(rng)

    def loss(self, batch: tuple[IntArray, FloatArray, IntArray]) -> torch.Tensor:
        """Return the sampled softmax of the batch."""
        rows, views, neg = batch
        z = self._users(self.frozen.own[rows], self.frozen.count[rows], views)
        pos_item, neg_item = torch.from_numpy(self.frozen.pos[rows]), torch.from_numpy(neg)
        pos_vector, neg_vector = self.item[pos_item], self.item[neg_item]
        return ranking_loss(self.loss_of, z, pos_vector, neg_vector, pos_item, neg_item, self.sampler)

    def validate(self) -> float | None:
        """Return None: a trial that chose its epoch on validation would look better than it is."""
        return None

    @torch.no_grad()
    def values(self) -> Values:
        """Return the NDCG@10 of each validation user; who has no view of the subset keeps the base value."""
        frozen, target = self.frozen, self.frozen.target
        changed = has_view(target, self.subset, TRAIN)[frozen.valid_user]
        users, values = frozen.valid_user[changed], frozen.base.copy()
        if changed.any():
            z = np.zeros((target.graph.num_users, frozen.item.shape[1]), dtype=np.float32)
            views = stack_views(target, self.subset, users, TRAIN)
            z[users] = self._users(frozen.valid_own[changed], frozen.valid_count[changed], views).numpy()
            values[changed] = user_ndcg(target, VectorScorer(z, frozen.item), users)
        return values

    def _users(self, own: FloatArray, count: IntArray, views: FloatArray) -> torch.Tensor:
        z: torch.Tensor = self.head(torch.from_numpy(own), torch.from_numpy(count).float(), torch.from_numpy(views))
        return z

    def _negatives(self, rng: np.random.Generator) -> IntArray:
        return self.sampler.draw(rng, self.config.head_negatives)


@dataclass(frozen=True)
class Trials:
    """The objective of the search. What a trial gave each user is kept in `workspace`."""

    frozen: Frozen
    config: SelectConfig
    workspace: Workspace
    seed: int

    def subset(self, point: Point) -> Subset:
        """Return the names that are on at `point`."""
        return tuple(name for name in self.frozen.target.sources if point[name])

    def objective(self, point: Point) -> float:
        """Return the mean validation NDCG@10 of the subset that is on at `point`."""
        return float(self.values(self.subset(point)).mean())

    def values(self, subset: Subset) -> Values:
        """Return the NDCG@10 of each validation user with `subset`, from disk where it was tried before."""
        if not subset:
            return self.frozen.base
        bits = "".join("01"[name in subset] for name in self.frozen.target.sources)
        path = self.workspace.path / f"{bits}.npy"
        if not path.exists():
            part = path.with_suffix(".part.npy")
            np.save(part, self._try(subset, bits))
            part.replace(path)
        return np.asarray(np.load(path), dtype=np.float64)

    def _try(self, subset: Subset, bits: str) -> Values:
        task = HeadTask(self.frozen, subset, self.config, self.seed)
        fit(
            task,
            self.config.head,
            seed=self.seed,
            workspace=self.workspace,
            tracker=NullTracker(),
            label=f"head-{bits}",
        )
        return task.values()
