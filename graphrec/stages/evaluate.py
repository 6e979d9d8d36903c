"""Evaluate: rank the whole catalogue of the target for every test event, ours beside the baselines.

The only stage that opens the test events, and it chooses nothing: models arrive finished, baselines
have fixed options, all see the same history (training and validation events of the target).
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain

import numpy as np
from safetensors.numpy import load_file
from scipy.sparse import csr_array, diags_array

from graphrec.baselines.registry import make_baseline
from graphrec.core.errors import DataError
from graphrec.core.progress import track
from graphrec.core.records import Record
from graphrec.core.stage import StageContext
from graphrec.core.types import JSON, BoolArray, FloatArray, IntArray, Scorer
from graphrec.data.dataset import DomainSplit, domain_split, load_dataset, load_test
from graphrec.data.history import known_history
from graphrec.metrics.compare import Bootstrap
from graphrec.metrics.groups import GROUPS, coverage, popularity_groups
from graphrec.metrics.measures import CUTOFFS, Values, measure_all, ndcg
from graphrec.metrics.ranking import Ranking, rank
from graphrec.metrics.scorers import VectorScorer, hybrid_scorer
from graphrec.stages.config import EvaluateConfig

ALL = "all"
"""The group of all items."""

OURS = "graphrec"
"""The model that the run ships."""

_DECIDING_K = 10


@dataclass(frozen=True)
class Evaluation:
    """What the stage found: records for `metrics.json`, and the summary that the report draws."""

    records: list[Record]
    summary: JSON


@dataclass(frozen=True)
class _Result:
    """One model: `means[group][(metric, k)]`, and NDCG@10 of each test user."""

    means: dict[str, dict[tuple[str, int], float]]
    per_user: Values


def evaluate(
    split: DomainSplit,
    models: Mapping[str, Scorer],
    config: EvaluateConfig,
    seed: int,
    *,
    elsewhere: BoolArray | None = None,
) -> Evaluation:
    """Rank the test events of `split` with `models` (name -> scorer, ours first) and the chosen baselines.

    Users are asked about who have a history in the domain, or in another one where `elsewhere`, `[num_users]`, says
    so; the baselines, which know the domain alone, offer these what is popular. Groups follow the popularity of
    items in the training events. Raises `DataError` when no user with a history has a test event.
    """
    known = known_history(split)
    user, item = _askable(split, known, elsewhere)
    members = _members(split)
    results, notes = {}, []
    fitted = chain(models.items(), _fit_baselines(known, config, seed, user))
    for name, scorer in track(fitted, "evaluate", total=len(models) + len(config.baselines)):
        results[name] = _measure(rank(scorer, user, item, known, top=max(CUTOFFS)), members)
        notes += [f"{name}: {note}"] if (note := getattr(scorer, "note", "")) else []
    drawn = Bootstrap.draw({name: result.per_user for name, result in results.items()}, seed, config.bootstrap)
    pairs = {group: int(mask[item].sum()) for group, mask in members.items()}
    summary = {
        "domain": split.domain,
        "num_users": len(np.unique(user)),
        "num_items": len(split.catalog),
        "left_out_users": _num_active(split) - len(np.unique(user)),
        "num_users_known_elsewhere": len(np.unique(user[_without(known, user)])),
        "groups": pairs,
        "ours": next(iter(models)),
        "variants": list(models)[1:],
        "table": _table(results),
        "comparison": _against_best(drawn, config.baselines),
        "differences": _ours_minus(drawn, next(iter(models))),
        "notes": notes,
    }
    return Evaluation(_records(split.domain, results, pairs, seed), summary)


def mean_of_history(history: csr_array, item: FloatArray) -> FloatArray:
    """Return for each user the mean of the vectors of the history, zero without any: `[num_users, dim]`."""
    share = diags_array((1 / np.maximum(history.sum(axis=1), 1)).astype(np.float32))
    mean: FloatArray = share @ history @ item
    return mean


def run(context: StageContext, config: EvaluateConfig) -> None:
    """Load the data set with its test events and the finished vectors; write records and summary."""
    ingest = context.inputs["ingest"].path
    dataset = load_dataset(ingest)
    split = domain_split(dataset, context.target, load_test(ingest))
    elsewhere = np.zeros(len(dataset.users), dtype=np.bool_)
    elsewhere[(dataset.train + dataset.valid).user] = True
    adapted = load_file(context.inputs["adapt"].file("adapted.safetensors"))
    i2i = load_file(context.inputs["longtail"].file("i2i.safetensors"))["item"]
    models = {
        OURS: hybrid_scorer(adapted),
        "target_only": hybrid_scorer(adapted, "target_only."),
        "all_domains": hybrid_scorer(adapted, "all_domains."),
        "vectors": hybrid_scorer(adapted, "vectors."),
        "i2i": VectorScorer(mean_of_history(known_history(split), i2i), i2i),
    }
    evaluation = evaluate(split, models, config, context.seed, elsewhere=elsewhere)
    context.finish(evaluation.summary, evaluation.records)


def _fit_baselines(
    known: csr_array, config: EvaluateConfig, seed: int, asked: IntArray
) -> Iterator[tuple[str, Scorer]]:
    # One at a time: EASE alone may hold 1.6 GB.
    for name in config.baselines:
        fitted = make_baseline(name, config.options).fit(known, seed)
        yield name, _OrPopular(fitted, known) if _without(known, asked).any() else fitted


def _without(known: csr_array, user: IntArray) -> BoolArray:
    return np.asarray(np.diff(known.indptr)[user] == 0)


@dataclass(frozen=True)
class _OrPopular:
    """A baseline, and what is popular for users without a history: there it has one score for everything."""

    fitted: Scorer
    known: csr_array

    @property
    def note(self) -> str:
        return getattr(self.fitted, "note", "")

    def score(self, users: IntArray) -> FloatArray:
        scores = np.array(self.fitted.score(users), dtype=np.float32)
        scores[_without(self.known, users)] = np.asarray(self.known.sum(axis=0), dtype=np.float32)
        return scores


def _askable(split: DomainSplit, known: csr_array, elsewhere: BoolArray | None) -> tuple[IntArray, IntArray]:
    has_history = np.diff(known.indptr)[split.test_user] > 0
    if elsewhere is not None:
        has_history |= elsewhere[split.test_user]
    if not has_history.any():
        raise DataError(
            f"domain {split.domain}: no user with a history has a test event; "
            "choose another target or lower ingest.split.min_events"
        )
    return split.test_user[has_history], split.test_item[has_history]


def _num_active(split: DomainSplit) -> int:
    return len(np.unique(np.concatenate([split.train_user, split.valid_user, split.test_user])))


def _members(split: DomainSplit) -> dict[str, BoolArray]:
    group = popularity_groups(np.bincount(split.train_item, minlength=len(split.catalog)))
    return {ALL: group >= 0, **{name: group == number for number, name in enumerate(GROUPS)}}


def _measure(ranking: Ranking, members: Mapping[str, BoolArray]) -> _Result:
    means = {}
    for group, mask in members.items():
        values = measure_all(ranking.ranks.where(mask[ranking.ranks.item]))
        means[group] = {key: float(per_user.mean()) for key, per_user in values.items()}
        means[group] |= {("coverage", k): coverage(ranking.top[:, :k], mask) for k in CUTOFFS if mask.any()}
    return _Result(means, ndcg(ranking.ranks, _DECIDING_K))


def _records(domain: str, results: Mapping[str, _Result], pairs: Mapping[str, int], seed: int) -> list[Record]:
    record = partial(Record, stage="evaluate", domain=domain, split="test", seed=seed)
    counts = [record(group=g, model="-", metric="num_pairs", k=0, value=float(n)) for g, n in pairs.items()]
    return counts + [
        record(group=group, model=model, metric=metric, k=k, value=value)
        for model, result in results.items()
        for group, means in result.means.items()
        for (metric, k), value in means.items()
    ]


def _table(results: Mapping[str, _Result]) -> list[JSON]:
    return [
        {"model": model, "group": group, **{f"{metric}@{k}": value for (metric, k), value in means.items()}}
        for model, result in results.items()
        for group, means in result.means.items()
        if means
    ]


def _against_best(drawn: Bootstrap, baselines: Collection[str]) -> list[JSON]:
    # The best on the test itself is the strictest rival: it owes part of its lead to luck.
    best = max(baselines, key=lambda name: drawn.mean[drawn.models.index(name)], default=None)
    if best is None:
        return []
    rows = ((name, drawn.difference(name, best)) for name in drawn.models if name != best)
    return [{"model": n, "against": best, "difference": d.mean, "low": d.low, "high": d.high} for n, d in rows]


def _ours_minus(drawn: Bootstrap, ours: str) -> list[JSON]:
    rows = ((name, drawn.difference(ours, name)) for name in drawn.models if name != ours)
    return [{"model": n, "difference": d.mean, "low": d.low, "high": d.high} for n, d in rows]
