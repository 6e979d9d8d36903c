"""Adapt: fit the target on the chosen sources, and ship it only where it is better than the guards.

Candidates share one code path: target_only (no source), all_domains, and the chosen subset where
it is neither. A base without sources is trained until validation says stop. Then every candidate,
target_only too, goes on from it with the same budget: else a source would get the credit for
training longer. Heads begin at zero, so epoch 0 of each candidate is the base.

    ships   the chosen one, if the paired 95 % lower bound of its validation gain over each guard is above 0
    else    all_domains, if its own lower bound over target_only is above 0
    else    target_only
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch

from finetune.config import AdaptConfig
from finetune.model import Transfer
from finetune.target import Target
from finetune.task import TransferTask
from graphrec.core.tracking import Tracker
from graphrec.core.types import JSON, FloatArray
from graphrec.core.workspace import Workspace
from graphrec.encoders.pretrained import FULL, TRAIN
from graphrec.metrics.compare import Bootstrap
from graphrec.metrics.measures import Values
from graphrec.training.config import FitConfig
from graphrec.training.loop import FitResult, fit

CHOSEN, TARGET_ONLY, ALL_DOMAINS = "chosen", "target_only", "all_domains"


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A fitted model: its domains, its NDCG@10 per validation user, how its training went.

    `popularity` is the weight of an item's popularity in its scores, see `graphrec.metrics.popularity`.
    """

    name: str
    model: Transfer
    values: Values
    result: FitResult
    popularity: float


@dataclass(frozen=True, kw_only=True)
class Adapted:
    """What adapt gives. `arrays` are the tensors of `adapted.safetensors` by name."""

    shipped: str
    arrays: Mapping[str, FloatArray]
    summary: JSON


def adapt(
    target: Target,
    chosen: tuple[str, ...],
    config: AdaptConfig,
    *,
    seed: int,
    workspace: Workspace,
    tracker: Tracker,
) -> Adapted:
    """Fit the candidates, let the guard decide, and encode users and items for the test.

    `arrays` holds `user` [num_users, dim + 1] and `item` [num_items, dim + 1] of the shipped model
    and of each guard (`target_only.user`, ...), whose history is train and validation events: unit
    vectors, then a column that adds an item's popularity to an inner product. `train.user` and
    `train.item` are the unit vectors of the shipped model as it was chosen, for later choices on
    validation. A killed call goes on from `workspace`.
    """
    fitting = _Fitting(target, config, seed, workspace, tracker)
    base, first = fitting.base(TRAIN, config.fit)
    candidates = fitting.candidates(base, subsets(target, chosen))
    decision = guard({name: c.values for name, c in candidates.items()}, samples=config.bootstrap, seed=seed)
    final = (
        fitting.final(first.best_epoch, candidates)
        if config.refit
        else {name: c.model for name, c in candidates.items()}
    )
    shipped = decision.shipped
    weights = {name: c.popularity for name, c in candidates.items()}
    used = {"": shipped} | {f"{name}.": name if name in final else TARGET_ONLY for name in (TARGET_ONLY, ALL_DOMAINS)}
    arrays: dict[str, FloatArray] = {}
    for prefix, name in used.items():
        scorer = final[name].scorer(FULL, weights[name])
        arrays |= {f"{prefix}user": scorer.user, f"{prefix}item": scorer.item}
    chosen_model = candidates[shipped].model
    arrays |= {"train.user": chosen_model.user_vectors(TRAIN), "train.item": chosen_model.item_vectors()}
    summary = {
        "target": target.domain,
        "candidates": [{**row, "domains": list(candidates[row["name"]].model.domains)} for row in decision.rows],
        "shipped": shipped,
        "reason": decision.reason,
        "gates": dict.fromkeys(target.sources, 0.0) | final[shipped].gates(FULL if config.refit else TRAIN),
        "best_epoch": {"base": first.best_epoch} | {name: c.result.best_epoch for name, c in candidates.items()},
        "popularity": weights,
        "refit": config.refit,
        "curve": _joined(first.curve, candidates[shipped].result.curve),
    }
    return Adapted(shipped=shipped, arrays=arrays, summary=summary)


def subsets(target: Target, chosen: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Return the candidates by name, target-only first; nothing is listed twice."""
    assert set(chosen) <= set(target.sources)
    named = {TARGET_ONLY: (), ALL_DOMAINS: target.sources, CHOSEN: chosen}
    distinct: dict[str, tuple[str, ...]] = {}
    for name, domains in named.items():
        if set(domains) not in map(set, distinct.values()):
            distinct[name] = domains
    return distinct


@dataclass(frozen=True)
class Decision:
    """What ships and why; `rows` compare the candidates on validation, with 95 % intervals."""

    shipped: str
    reason: str
    rows: list[JSON]


def guard(values: Mapping[str, Values], *, samples: int, seed: int) -> Decision:
    """Apply the rule at the top of this module to the NDCG@10 per validation user of each candidate."""
    if not len(values[TARGET_ONLY]):
        blank: list[JSON] = [{"name": name, "valid_ndcg10": None, "low": None, "high": None} for name in values]
        return Decision(TARGET_ONLY, "No validation events: nothing shows that another domain helps.", blank)
    bootstrap = Bootstrap.draw(values, seed, samples)
    low, high = np.quantile(bootstrap.means, (0.025, 0.975), axis=0)
    rows: list[JSON] = [
        {"name": name, "valid_ndcg10": float(values[name].mean()), "low": float(low[place]), "high": float(high[place])}
        for place, name in enumerate(bootstrap.models)
    ]
    rivals = [name for name in values if name != CHOSEN]
    if CHOSEN in values and all(bootstrap.difference(CHOSEN, rival).low > 0 for rival in rivals):
        return Decision(CHOSEN, f"Its validation gain is surely above zero: {_gains(bootstrap, CHOSEN, rivals)}.", rows)
    said = f"The chosen subset is not surely better: {_gains(bootstrap, CHOSEN, rivals)}. " if CHOSEN in values else ""
    if ALL_DOMAINS not in values:
        return Decision(TARGET_ONLY, "There is no source domain.", rows)
    over = _gains(bootstrap, ALL_DOMAINS, [TARGET_ONLY])
    if bootstrap.difference(ALL_DOMAINS, TARGET_ONLY).low > 0:
        return Decision(ALL_DOMAINS, f"{said}All domains are surely better than none: {over}.", rows)
    return Decision(TARGET_ONLY, f"{said}All domains are not surely better than none: {over}.", rows)


def _gains(bootstrap: Bootstrap, name: str, rivals: list[str]) -> str:
    found = [(rival, bootstrap.difference(name, rival)) for rival in rivals]
    return ", ".join(f"{d.mean:+.4f} over {rival} ({d.low:+.4f} to {d.high:+.4f})" for rival, d in found)


@dataclass(frozen=True)
class _Fitting:
    """Fits candidates one after another, each under its own label in the workspace."""

    target: Target
    config: AdaptConfig
    seed: int
    workspace: Workspace
    tracker: Tracker

    def base(self, history: str, options: FitConfig) -> tuple[Transfer, FitResult]:
        """Fit the target-only model that every candidate goes on from."""
        model = Transfer(self.target, (), self.config.model, self.seed)
        return model, self._fit(self._task(model, history, options), options, f"base-{history}")

    def candidates(self, base: Transfer, subsets: Mapping[str, tuple[str, ...]]) -> dict[str, Candidate]:
        """Fit on train events, the epoch chosen on validation."""
        found = {}
        for name, domains in subsets.items():
            model = self._start(base, domains)
            task = self._task(model, TRAIN, self.config.transfer)
            result = self._fit(task, self.config.transfer, name)
            weight = task.choose_popularity()
            found[name] = Candidate(
                name=name, model=model, values=task.values(weight), result=result, popularity=weight
            )
        return found

    def final(self, base_epochs: int, candidates: Mapping[str, Candidate]) -> dict[str, Transfer]:
        """Fit again on train and validation events, for as many epochs as were best."""
        base, _ = self.base(FULL, replace(self.config.fit, epochs=base_epochs))
        found = {}
        for name, candidate in candidates.items():
            model = self._start(base, candidate.model.domains)
            options = replace(self.config.transfer, epochs=candidate.result.best_epoch)
            self._fit(self._task(model, FULL, options), options, f"refit-{name}")
            found[name] = model
        return found

    def _start(self, base: Transfer, domains: tuple[str, ...]) -> Transfer:
        model = Transfer(self.target, domains, self.config.model, self.seed)
        with torch.no_grad():
            for mine, given in zip(model.encoder.parameters(), base.encoder.parameters(), strict=True):
                mine.copy_(given)
        return model

    def _task(self, model: Transfer, history: str, options: FitConfig) -> TransferTask:
        size, validate = options.batch_size, history == TRAIN
        return TransferTask(model, self.config.model, history, batch_size=size, seed=self.seed, validate=validate)

    def _fit(self, task: TransferTask, options: FitConfig, label: str) -> FitResult:
        return fit(task, options, seed=self.seed, workspace=self.workspace, tracker=self.tracker, label=label)


def _joined(first: list[JSON], second: list[JSON]) -> list[JSON]:
    return [*first, *({**row, "epoch": len(first) + row["epoch"]} for row in second)]
