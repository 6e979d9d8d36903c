"""DeepI2I: an item-to-item model for the long tail, trained on random-walk pairs.

A rare item has few events to learn from. Walks item - user - item and item - entity - item make
it training pairs, visits to popular items are thinned out, and the item vectors are tuned on them:

    z_i = normalise(x_i + x_i W + r_i)       x_i the adapted vector, W and r start at zero

It starts as the adapted vectors themselves and the epoch is chosen on validation, epoch 0
included. Choosing uses vectors and events of the training history alone; then the chosen number
of epochs is trained again from the shipped vectors on train and validation events.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from scipy.sparse import csr_array, eye_array
from torch.nn.functional import normalize

from graphrec.core.records import Record
from graphrec.core.seeds import derive_seed, generator
from graphrec.core.stage import StageContext
from graphrec.core.tracking import Tracker
from graphrec.core.types import JSON, FloatArray, IntArray
from graphrec.core.workspace import Workspace
from graphrec.data.dataset import DomainSplit, domain_split, load_dataset
from graphrec.data.history import known_history, train_history
from graphrec.graph.graph import MultiDomainGraph
from graphrec.losses.ranking import MASKED
from graphrec.losses.sampled_softmax import SampledSoftmax
from graphrec.metrics.groups import GROUPS, popularity_groups
from graphrec.metrics.ranking import blocks, rank, top_k
from graphrec.metrics.scorers import VectorScorer
from graphrec.samplers.pairs import Pairs, item_links, item_pairs
from graphrec.stages.config import LongtailConfig
from graphrec.training.loop import FitResult, fit

K = 20
"""Cut-off of the hit rate that chooses the epoch."""

Batch = tuple[torch.Tensor, ...]
"""Item and neighbour of each pair `[batch]`, and negatives shared by all of them `[num_neg]`."""


@dataclass(frozen=True, kw_only=True)
class ItemModel:
    """`item` has unit rows `[num_items, dim]`, zero where nothing is known; `neighbours` has the
    columns item, neighbour (positions in the catalogue), rank (from 1) and score (cosine)."""

    item: FloatArray
    neighbours: pl.DataFrame
    summary: JSON


def run(context: StageContext, config: LongtailConfig) -> None:
    """Load events, knowledge edges and adapted vectors; write `i2i.safetensors` and `neighbours.parquet`."""
    split = domain_split(load_dataset(context.inputs["ingest"].path), context.target)
    links = item_links(MultiDomainGraph.load(context.inputs["merge"].path), context.target)
    adapted = load_file(context.inputs["adapt"].file("adapted.safetensors"))
    vectors = {"train": adapted["train.item"], "full": adapted["full.item"]}
    model = longtail(
        split, links, vectors, config, seed=context.seed, workspace=context.workspace, tracker=context.tracker
    )
    save_file({"item": model.item}, context.out / "i2i.safetensors")
    model.neighbours.write_parquet(context.out / "neighbours.parquet")
    context.finish({"target": context.target, **model.summary}, _records(context, model.summary["heldout"]))


def longtail(
    split: DomainSplit,
    links: csr_array,
    vectors: Mapping[str, FloatArray],
    config: LongtailConfig,
    *,
    seed: int,
    workspace: Workspace,
    tracker: Tracker,
) -> ItemModel:
    """Train the item-to-item model of one domain and find each item's nearest neighbours.

    `links` [num_items, num_entities] holds the weight of item - entity edges, empty without a
    knowledge graph. `vectors["train"]` and `vectors["full"]` are [num_items, dim] adapted to the
    train history and to train + validation.
    """
    choose, judge = _questions(split, seed)
    train_pairs = _pairs(train_history(split), links, config, seed)
    task = ItemTask(vectors["train"], train_pairs, choose, config, seed)
    before = judge.hits(task.vectors())
    result = fit(task, config.fit, seed=seed, workspace=workspace, tracker=tracker, label="longtail")
    after = judge.hits(task.vectors())
    pairs = _pairs(known_history(split), links, config, seed)
    final = ItemTask(vectors["full"], pairs, None, config, seed)
    fit(
        final,
        config.fit,
        seed=seed,
        workspace=workspace,
        tracker=tracker,
        label="longtail-refit",
        stop=result.best_epoch,
    )
    item = final.vectors()
    group = popularity_groups(_popularity(known_history(split)))
    summary = {
        "num_items": len(item),
        "num_pairs": len(pairs),
        "num_items_without_vector": int((~item.any(axis=1)).sum()),
        "best_epoch": result.best_epoch,
        "pairs": _pair_counts(pairs, group),
        "heldout": judge.compare(before, after, popularity_groups(_popularity(train_history(split)))),
        "curve": result.curve,
        "reason": _reason(result),
    }
    return ItemModel(item=item, neighbours=nearest(item, config.neighbours), summary=summary)


def nearest(vectors: FloatArray, k: int) -> pl.DataFrame:
    """Find the `k` most similar other rows of each row by exact search; zero rows take no part."""
    known = vectors.any(axis=1)
    rows = np.flatnonzero(known)
    kept, parts = min(k, max(0, len(rows) - 1)), []
    scorer = VectorScorer(vectors[rows], vectors[rows])
    for start, scores in blocks(scorer, np.arange(len(rows)), csr_array(eye_array(len(rows), format="csr"))):
        best = top_k(scores, kept)
        parts.append((np.arange(start, start + len(scores)), best, np.take_along_axis(scores, best, axis=1)))
    item, neighbour, score = (np.concatenate(column) for column in zip(*parts, strict=True)) if parts else _NOTHING
    columns = {
        "item": np.repeat(rows[item], kept),
        "neighbour": rows[neighbour].ravel(),
        "rank": np.tile(np.arange(1, kept + 1), len(item)),
        "score": score.ravel(),
    }
    return pl.DataFrame(columns, schema=_SCHEMA)


_SCHEMA = {"item": pl.Int64, "neighbour": pl.Int64, "rank": pl.Int64, "score": pl.Float32}
_NOTHING = (np.empty(0, np.int64), np.empty((0, 0), np.int64), np.empty((0, 0), np.float32))


class ItemTask:
    """What `fit` trains: the residual `r` of each item and the map `W`, both from zero."""

    def __init__(
        self, vectors: FloatArray, pairs: Pairs, questions: "Questions | None", config: LongtailConfig, seed: int
    ) -> None:
        self._config, self._seed, self._questions = config, seed, questions
        paired = np.zeros(len(vectors), dtype=np.bool_)
        paired[pairs.item] = paired[pairs.neighbour] = True
        given = vectors.any(axis=1, keepdims=True)
        self._known = torch.from_numpy(given | paired[:, None])
        self._start = normalize(torch.from_numpy(np.where(given, vectors, self._noise(vectors))))
        self._residual = torch.nn.Parameter(torch.zeros_like(self._start))
        self._map = torch.nn.Parameter(torch.zeros(vectors.shape[1], vectors.shape[1]))
        self._pairs, self._loss = pairs, SampledSoftmax(config.temperature)

    def parameters(self) -> Mapping[str, torch.nn.Parameter]:
        """Return the residual and the map."""
        return {"residual": self._residual, "map": self._map}

    def batches(self, epoch: int) -> Iterator[Batch]:
        """Yield as many draws as there are pairs, each pair as often as its weight says."""
        rng, size = generator(self._seed, "longtail", "epoch", epoch), self._config.fit.batch_size
        total = np.cumsum(self._pairs.weight, dtype=np.float64)
        drawn = np.searchsorted(total, rng.random(len(total)) * total[-1:], side="right")
        for start in range(0, len(drawn), size):
            pair, neg = drawn[start : start + size], rng.integers(len(self._start), size=self._config.negatives)
            yield tuple(torch.from_numpy(ids) for ids in (self._pairs.item[pair], self._pairs.neighbour[pair], neg))

    def loss(self, batch: Batch) -> torch.Tensor:
        """Return the sampled softmax of the batch; a negative that is the item or its neighbour does not count."""
        item, neighbour, neg = batch
        z = self._z(item)
        pos = (z * self._z(neighbour)).sum(dim=1)  # [batch]
        same = (neg == item[:, None]) | (neg == neighbour[:, None])
        others = (z @ self._z(neg).T).masked_fill(same, MASKED)  # [batch, num_neg]
        return self._loss(pos, others, torch.zeros_like(pos), torch.zeros(len(neg)))

    def validate(self) -> float | None:
        """Return the hit rate on the questions that choose the epoch."""
        if self._questions is None or not len(self._questions):
            return None
        return float(self._questions.hits(self.vectors()).mean())

    @torch.no_grad()
    def vectors(self) -> FloatArray:
        """Return the item vectors `[num_items, dim]` as they stand: unit rows, zero where nothing is known."""
        z = self._z(torch.arange(len(self._start)))
        return np.asarray((z * self._known).numpy(), dtype=np.float32)

    def _z(self, rows: torch.Tensor) -> torch.Tensor:
        start = self._start[rows]
        return normalize(start + start @ self._map + self._residual[rows], dim=1)

    def _noise(self, vectors: FloatArray) -> FloatArray:
        # An item without a vector starts anywhere: at zero the direction would have no gradient.
        return generator(self._seed, "longtail", "start").normal(size=vectors.shape).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class Questions:
    """Held-out next items: after `last[user]`, the user's latest training item, came `item`."""

    user: IntArray
    item: IntArray
    last: IntArray
    seen: csr_array

    def __len__(self) -> int:
        return len(self.user)

    def hits(self, vectors: FloatArray) -> NDArray[np.float64]:
        """Return 1 where the held-out item is among the `K` nearest unseen ones, else 0, sorted by user and item."""
        scorer = VectorScorer(vectors[self.last], vectors)
        return (rank(scorer, self.user, self.item, self.seen).ranks.value < K).astype(np.float64)

    def compare(self, before: NDArray[np.float64], after: NDArray[np.float64], group: IntArray) -> list[JSON]:
        """Return the hit rates before and after training, by the popularity of the held-out item."""
        item = self.item[np.lexsort((self.item, self.user))]
        parts = {"all": np.ones(len(item), dtype=np.bool_)} | {g: group[item] == n for n, g in enumerate(GROUPS)}
        return [
            {"group": name, "num_pairs": int(mask.sum()), "before": before[mask].mean(), "after": after[mask].mean()}
            for name, mask in parts.items()
            if mask.any()
        ]


def _questions(split: DomainSplit, seed: int) -> tuple[Questions, Questions]:
    """Halve the users: one half chooses the epoch, the other one judges it."""
    last = np.full(split.num_users, -1, dtype=np.int64)
    last[split.train_user] = split.train_item  # events come in order of time, so the latest one stays
    asked = last[split.valid_user] >= 0
    half = generator(seed, "longtail", "half").integers(2, size=split.num_users)[split.valid_user]
    seen = train_history(split)
    masks = (asked & (half == side) for side in (0, 1))
    choose, judge = (Questions(user=split.valid_user[m], item=split.valid_item[m], last=last, seen=seen) for m in masks)
    return choose, judge


def _pairs(history: csr_array, links: csr_array, config: LongtailConfig, seed: int) -> Pairs:
    rare = np.isin(popularity_groups(_popularity(history)), (GROUPS.index("tail"), GROUPS.index("cold")))
    return item_pairs(history, links, rare, config.pairs, derive_seed(seed, "longtail"))


def _popularity(history: csr_array) -> IntArray:
    return np.bincount(history.indices, minlength=history.shape[1]).astype(np.int64)


def _pair_counts(pairs: Pairs, group: IntArray) -> JSON:
    counts = {}
    for number, name in enumerate(GROUPS):
        starts = pairs.item[group[pairs.item] == number]
        counts[name] = {
            "num_items": int((group == number).sum()),
            "num_items_with_pairs": len(np.unique(starts)),
            "num_pairs": len(starts),
            "num_pairs_to": int((group[pairs.neighbour] == number).sum()),
        }
    return counts


def _reason(result: FitResult) -> str:
    if result.start is None:
        return "No validation events: the last epoch ships, unjudged."
    if result.best_epoch == 0:
        return "No epoch beat the adapted vectors on validation; they ship as they are."
    return f"Epoch {result.best_epoch} has the best hit rate@{K} on the choosing half of the validation users."


def _records(context: StageContext, heldout: list[JSON]) -> list[Record]:
    return [
        Record(
            stage="longtail",
            domain=context.target,
            split="valid",
            group=row["group"],
            model=model,
            metric="hr",
            k=K,
            seed=context.seed,
            value=row[column],
        )
        for row in heldout
        for model, column in (("adapted", "before"), ("i2i", "after"))
    ]
