"""Adapt: fit the target on the chosen sources, and ship it only where it is better than the guards.

Candidates share one code path: target_only (no source), all_domains, and the chosen subset where it is neither. One
base, the target's own encoder, serves all of them; sources come in through maps in closed form, weighed on validation
(`evidence.py`). `tune` may train on from there, every candidate with the same budget, target_only too: else a source
would get the credit for training longer. Epoch 0 is the closed form, so that training is kept only where it helps.

    ships   the chosen one, if the paired 95 % lower bound of its validation gain over each guard is above 0
    else    all_domains, if its own lower bound over target_only is above 0
    else    target_only
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from finetune.channels import OWN, POPULARITY, USERS, Parts, View, joined, scorer_of, strength
from finetune.config import AdaptConfig
from finetune.evidence import Evidence, Subset, crosses_of, residuals_of, share_without
from finetune.model import Transfer, new_encoder
from finetune.target import Target
from finetune.task import TransferTask, fit_own, user_ndcg
from graphrec.core.tracking import Tracker
from graphrec.core.types import JSON, FloatArray, IntArray
from graphrec.core.workspace import Workspace
from graphrec.encoders.base import MultiDomainEncoder
from graphrec.encoders.pretrained import FULL, TRAIN
from graphrec.metrics.compare import Bootstrap
from graphrec.metrics.measures import Values
from graphrec.training.loop import FitResult, fit

CHOSEN, TARGET_ONLY, ALL_DOMAINS = "chosen", "target_only", "all_domains"
_SAMPLE = 512
_FEWEST = 10
"""Validation users whom a candidate must serve differently before their mean can be sure of anything."""
_TUNED = {"gate": (), "adapter": ("map",), "full": ("encoder", "map")}


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """A model of one subset: its encoder, its maps and the weights of its channels."""

    encoder: MultiDomainEncoder
    parts: Parts
    weight: Mapping[str, float]

    def view(self, target: Target, history: str, users: IntArray | None = None) -> View:
        """Return the encoder's view of `users`, of all without."""
        asked = np.arange(target.graph.num_users) if users is None else users
        return View.of(self.encoder, target, history, asked)

    def vectors(self, target: Target) -> tuple[FloatArray, FloatArray]:
        """Return user and item vectors, popularity last, whose inner products are scores; the history is all events."""
        return joined(self.view(target, FULL).channels(self.parts, self.weight), self.weight)


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A fitted subset, the `weight` it began with, its NDCG@10 per validation user, and any further training."""

    subset: Subset
    fitted: Fitted
    weight: Mapping[str, float]
    values: Values
    epochs: int
    curve: list[JSON]


@dataclass(frozen=True, kw_only=True)
class Adapted:
    """What adapt gives. `arrays` are the tensors of `adapted.safetensors` by name."""

    shipped: str
    arrays: Mapping[str, FloatArray]
    summary: JSON


def adapt(
    target: Target,
    chosen: Subset,
    config: AdaptConfig,
    *,
    seed: int,
    workspace: Workspace,
    tracker: Tracker,
) -> Adapted:
    """Fit the candidates, let the guard decide, and encode users and items for the test.

    `arrays` holds `user` [num_users, width] and `item` [num_items, width] of the shipped model and of each guard
    (`target_only.user`, ...), whose history is train and validation events and whose last column is popularity:
    inner products are scores. `train.item` and `full.item` are the unit vectors of the target's own items, by history,
    for later choices. A killed call goes on from `workspace`.
    """
    fitting = Fitting(target, config, seed, workspace, tracker)
    base, first = fitting.base(TRAIN, config)
    candidates, ridge = fitting.candidates(base, subsets(target, chosen))
    decision = guard({name: c.values for name, c in candidates.items()}, samples=config.bootstrap, seed=seed)
    shipped = decision.shipped
    final = {name: c.fitted for name, c in candidates.items()}
    if config.refit:
        final = fitting.final(first.best_epoch, candidates, ridge)
    used = {"": shipped} | {f"{name}.": name if name in final else TARGET_ONLY for name in (TARGET_ONLY, ALL_DOMAINS)}
    arrays: dict[str, FloatArray] = {}
    for prefix, name in used.items():
        user, item = final[name].vectors(target)
        arrays |= {f"{prefix}user": user, f"{prefix}item": item}
    some = np.linspace(0, target.graph.num_users - 1, min(target.graph.num_users, _SAMPLE)).astype(np.int64)
    view = final[shipped].view(target, FULL, some)
    arrays["full.item"] = view.item
    arrays["train.item"] = candidates[shipped].fitted.view(target, TRAIN, some).item
    channels = view.channels(final[shipped].parts, final[shipped].weight)
    summary = {
        "target": target.domain,
        "candidates": [{**row, "domains": list(candidates[row["name"]].subset)} for row in decision.rows],
        "shipped": shipped,
        "reason": decision.reason,
        "gates": dict.fromkeys(target.sources, 0.0) | strength(channels, final[shipped].weight),
        "best_epoch": {"base": first.best_epoch} | {name: c.epochs for name, c in candidates.items()},
        "popularity": {name: c.fitted.weight[POPULARITY] for name, c in candidates.items()},
        "refit": config.refit,
        "curve": _joined(first.curve, candidates[shipped].curve),
    }
    return Adapted(shipped=shipped, arrays=arrays, summary=summary)


def subsets(target: Target, chosen: Subset) -> dict[str, Subset]:
    """Return the candidates by name, target-only first; nothing is listed twice."""
    assert set(chosen) <= set(target.sources)
    named = {TARGET_ONLY: (), ALL_DOMAINS: target.sources, CHOSEN: chosen}
    distinct: dict[str, Subset] = {}
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
    if CHOSEN in values and all(_surely_better(values, bootstrap, CHOSEN, rival) for rival in rivals):
        return Decision(CHOSEN, f"Its validation gain is surely above zero: {_gains(bootstrap, CHOSEN, rivals)}.", rows)
    said = f"The chosen subset is not surely better: {_gains(bootstrap, CHOSEN, rivals)}. " if CHOSEN in values else ""
    if ALL_DOMAINS not in values:
        return Decision(TARGET_ONLY, "There is no source domain.", rows)
    over = _gains(bootstrap, ALL_DOMAINS, [TARGET_ONLY])
    if _surely_better(values, bootstrap, ALL_DOMAINS, TARGET_ONLY):
        return Decision(ALL_DOMAINS, f"{said}All domains are surely better than none: {over}.", rows)
    return Decision(TARGET_ONLY, f"{said}All domains are not surely better than none: {over}.", rows)


def _surely_better(values: Mapping[str, Values], bootstrap: Bootstrap, name: str, rival: str) -> bool:
    differ = np.count_nonzero(values[name] != values[rival])
    return bool(differ >= _FEWEST and bootstrap.difference(name, rival).low > 0)


def _gains(bootstrap: Bootstrap, name: str, rivals: list[str]) -> str:
    found = [(rival, bootstrap.difference(name, rival)) for rival in rivals]
    return ", ".join(f"{d.mean:+.4f} over {rival} ({d.low:+.4f} to {d.high:+.4f})" for rival, d in found)


@dataclass(frozen=True)
class Fitting:
    """Fits subsets one after another, each under its own label in the workspace."""

    target: Target
    config: AdaptConfig
    seed: int
    workspace: Workspace
    tracker: Tracker

    def base(self, history: str, config: AdaptConfig) -> tuple[MultiDomainEncoder, FitResult]:
        """Fit the encoder that every candidate goes on from."""
        return fit_own(
            self.target,
            config.model,
            config.fit,
            history,
            seed=self.seed,
            workspace=self.workspace,
            tracker=self.tracker,
            label=f"base-{history}",
        )

    def candidates(self, base: MultiDomainEncoder, subsets: Mapping[str, Subset]) -> tuple[dict[str, Candidate], float]:
        """Weigh the sources of each subset on validation, train on where `tune` says so; return the ridge too."""
        target = self.target
        users = np.unique(target.valid[0])
        if not len(users):
            alone = Fitted(
                encoder=base, parts=Parts(), weight={OWN: 1 / self.config.model.temperature, POPULARITY: 0.0}
            )
            nothing = np.empty(0)
            blind = {
                name: Candidate(subset=s, fitted=alone, weight=alone.weight, values=nothing, epochs=0, curve=[])
                for name, s in subsets.items()
            }
            return blind, 1.0
        evidence = Evidence.of(base, target, self.config.evidence, self.seed)
        found: dict[str, Candidate] = {}
        for name, subset in subsets.items():
            weight = evidence.weights(subset).value
            fitted = Fitted(encoder=base, parts=evidence.parts, weight=weight)
            fitted, result = self._tuned(fitted, TRAIN, self.config, name)
            values = evidence.held_out(subset) if self.config.tune == "gate" else self._tuned_values(fitted)
            found[name] = Candidate(
                subset=subset,
                fitted=fitted,
                weight=weight,
                values=values,
                epochs=result.best_epoch if result else 0,
                curve=result.curve if result else [],
            )
        return found, evidence.ridge

    def _tuned_values(self, fitted: Fitted) -> Values:
        users = np.unique(self.target.valid[0])
        scorer = scorer_of(fitted.view(self.target, TRAIN, users).channels(fitted.parts, fitted.weight), fitted.weight)
        return user_ndcg(self.target, scorer, users)

    def final(self, epochs: int, candidates: Mapping[str, Candidate], ridge: float) -> dict[str, Fitted]:
        """Fit again on train and validation events: as many epochs as were best, the weights that validation chose."""
        base, _ = self.base(FULL, replace(self.config, fit=replace(self.config.fit, epochs=epochs)))
        target, parts = self.target, Parts()
        if len(target.valid[0]):
            without = share_without(View.of(base, target, TRAIN, np.unique(target.valid[0])))
            residuals, views, _ = residuals_of(base, target, FULL, self.config.evidence, self.seed, without)
            own, crosses = crosses_of(target, FULL, self.config.evidence)
            parts = Parts(residuals.maps(views, ridge), crosses, own)
        found = {}
        for name, candidate in candidates.items():
            options = replace(self.config, transfer=replace(self.config.transfer, epochs=candidate.epochs))
            fitted = Fitted(encoder=base, parts=parts, weight=candidate.weight)
            found[name] = self._tuned(fitted, FULL, options, f"refit-{name}")[0] if candidate.epochs else fitted
        return found

    def _tuned(self, begun: Fitted, history: str, config: AdaptConfig, label: str) -> tuple[Fitted, FitResult | None]:
        """Train on from the closed form as `tune` says."""
        if config.tune == "gate":
            return begun, None
        encoder = new_encoder(self.target, config.model, self.seed)
        encoder.load_state_dict(begun.encoder.state_dict())
        model = Transfer(encoder, self.target, begun.parts.maps, begun.weight)
        task = TransferTask(
            model,
            config.model,
            history,
            batch_size=config.transfer.batch_size,
            seed=self.seed,
            validate=history == TRAIN,
            tuned=_TUNED[config.tune],
            weight=begun.weight,
            parts=begun.parts,
            view_dropout=config.view_dropout,
        )
        options = config.transfer
        result = (
            fit(task, options, seed=self.seed, workspace=self.workspace, tracker=self.tracker, label=label)
            if task.parameters()
            else None
        )
        weight = dict(begun.weight) | {f"{USERS}:{name}": 1.0 for name in model.sources}
        return Fitted(
            encoder=model.encoder, parts=replace(begun.parts, maps=dict(begun.parts.maps) | model.maps), weight=weight
        ), result


def _joined(first: list[JSON], second: list[JSON]) -> list[JSON]:
    return [*first, *({**row, "epoch": len(first) + row["epoch"]} for row in second)]
