"""One cell of the worth test, and what the cells say: trained, validated, ranked once; then paired over users."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
import torch
from scipy.sparse import csr_array
from scipy.special import stdtr

from graphrec.core.errors import DataError
from graphrec.core.tracking import NullTracker
from graphrec.core.types import JSON, IntArray
from graphrec.core.workspace import Workspace
from graphrec.data.dataset import Events
from graphrec.encoders.base import MultiDomainEncoder
from graphrec.encoders.registry import make_encoder
from graphrec.graph.graph import MultiDomainGraph
from graphrec.graph.histories import Histories
from graphrec.metrics.compare import Bootstrap
from graphrec.metrics.measures import Values, ndcg, recall
from graphrec.metrics.popularity import popularity_prior, with_prior
from graphrec.metrics.ranking import Ranks, rank
from graphrec.training.loop import fit
from pretrain.config import PretrainConfig
from pretrain.task import PretrainTask
from pretrain.validate import Validation, encode_items, encode_users

NDCG, RECALL = "NDCG@10", "Recall@20"


@dataclass(frozen=True, kw_only=True)
class Measured:
    """NDCG@10 and Recall@20 of each test user, `[num_users]` by ascending `user`, and the epoch that was best."""

    user: IntArray
    ndcg: Values
    recall: Values
    best_epoch: int

    @property
    def values(self) -> dict[str, Values]:
        """Return the per-user values by the metric's name."""
        return {NDCG: self.ndcg, RECALL: self.recall}

    def save(self, path: Path) -> None:
        """Write the cell to `path`, by rename: it is there whole or not at all."""
        part = path.with_name(f".{path.name}.part")
        pl.DataFrame(vars(self)).write_parquet(part)
        part.replace(path)

    @classmethod
    def load(cls, path: Path) -> "Measured":
        """Read what `save` wrote."""
        table = pl.read_parquet(path)
        user, gain, found = (table[name].to_numpy() for name in ("user", "ndcg", "recall"))
        return cls(user=user, ndcg=gain, recall=found, best_epoch=int(table["best_epoch"][0]))


def measure(
    graph: MultiDomainGraph,
    test: Events,
    target: str,
    domains: Sequence[str],
    config: PretrainConfig,
    *,
    seed: int,
    workspace: Workspace,
    label: str = "worth",
) -> Measured:
    """Pretrain on `domains`, the target among them, and rank all its items for the `test` events of its users.

    The line's own encoder, task and weight of popularity, from new vectors in one process. The epoch is chosen by
    the validation NDCG@10 of the target; users are asked about who have an event in any domain, with train and
    validation events as their history. A killed call goes on from `workspace`. Raises `DataError` when there is
    nobody to ask about.
    """
    assert target in domains
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    histories = Histories.of(graph, tuple(domains), with_valid=False)
    encoder = make_encoder(graph, histories, tuple(domains), config.encoder, seed).to(device)
    popularity = config.popularity * config.temperature
    validation = Validation(
        _validated_on(graph, target), histories, limit=config.valid_users, seed=seed, popularity=popularity
    )
    task = PretrainTask(encoder, graph, config, validation, seed)
    result = fit(task, config.fit, seed=seed, workspace=workspace, tracker=NullTracker(), label=label)
    ranks = _ranks(encoder, graph, test, target, popularity)
    return Measured(
        user=np.unique(ranks.user), ndcg=ndcg(ranks, 10), recall=recall(ranks, 20), best_epoch=result.best_epoch
    )


def _validated_on(graph: MultiDomainGraph, target: str) -> MultiDomainGraph:
    """Return `graph` without the validation events of other domains, which decide nothing here."""
    events = {name: edges if name == target else edges.where(~edges.valid) for name, edges in graph.events.items()}
    return replace(graph, events=events)


def _ranks(encoder: MultiDomainEncoder, graph: MultiDomainGraph, test: Events, target: str, popularity: float) -> Ranks:
    histories = Histories.of(graph, encoder.domains, with_valid=True)
    asked = np.isin(test.user, histories.user)
    if not asked.any():
        raise DataError(f"target {target!r}: no user with a history has a test event, so nothing can be measured")
    catalog, events = graph.catalog[target], graph.events[target]
    encoder.look_at(histories)
    with torch.no_grad():
        nodes = encoder.nodes()
    z = encode_users(encoder, nodes, histories, np.unique(test.user[asked]), encoder.domains.index(target))
    count = np.bincount(np.searchsorted(catalog, events.item), minlength=len(catalog))
    scorer = with_prior(z, encode_items(encoder, nodes, catalog), popularity_prior(count, popularity))
    ones = np.ones(len(events), dtype=np.float32)
    seen = csr_array((ones, (events.user, np.searchsorted(catalog, events.item))), (graph.num_users, len(catalog)))
    return rank(scorer, test.user[asked], np.searchsorted(catalog, test.item[asked]), seen).ranks


def describe(cells: Sequence[Measured]) -> JSON:
    """Return mean and standard deviation over seeds of each metric, None where there is one seed."""
    means = {name: np.array([cell.values[name].mean() for cell in cells]) for name in (NDCG, RECALL)}
    return {
        name: {"mean": float(found.mean()), "sd": float(found.std(ddof=1)) if len(found) > 1 else None}
        for name, found in means.items()
    }


def compare(one: Sequence[Measured], other: Sequence[Measured], seed: int) -> JSON:
    """Return, per metric, `one` minus `other`: difference, 95 % interval, p, and the difference of each seed.

    A user's value is the mean over seeds; cells of the same place share seed and users. The interval
    is a bootstrap over users, p that of the paired t-test: chance among users, not among seeds.
    """
    return {
        name: _compared([c.values[name] for c in one], [c.values[name] for c in other], seed) for name in one[0].values
    }


def _compared(one: Sequence[Values], other: Sequence[Values], seed: int) -> JSON:
    means: Mapping[str, Values] = {"one": np.mean(one, axis=0), "other": np.mean(other, axis=0)}
    found = Bootstrap.draw(means, seed).difference("one", "other")
    return {
        "difference": found.mean,
        "low": found.low,
        "high": found.high,
        "p": paired_p(means["one"] - means["other"]),
        "by_seed": [float((a - b).mean()) for a, b in zip(one, other, strict=True)],
    }


def paired_p(delta: Values) -> float:
    """Return the two-sided p of the paired t-test for `delta[num_users]`; 1 where nothing differs."""
    error = delta.std(ddof=1) / np.sqrt(len(delta)) if len(delta) > 1 else 0.0
    return float(2 * stdtr(len(delta) - 1, -abs(delta.mean() / error))) if error > 0 else 1.0
