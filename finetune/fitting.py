"""How the candidates of adapt are fitted: closed forms on one base, further training, counts, the refit on all events.

A killed call goes on from the workspace, in which every training has its own label.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from finetune.channels import COUNTS, OWN, POPULARITY, Parts, View, joined
from finetune.config import AdaptConfig
from finetune.cross import Counts
from finetune.evidence import Evidence, HeldOut, Subset, counts_of, crosses_of, past_of, share_without
from finetune.guard import TARGET_ONLY, Decision, guard, surely_better, worth_more
from finetune.model import Transfer, new_encoder
from finetune.target import Target
from finetune.task import TransferTask, fit_own
from graphrec.core.tracking import Tracker
from graphrec.core.types import JSON, FloatArray, IntArray
from graphrec.core.workspace import Workspace
from graphrec.encoders.base import MultiDomainEncoder
from graphrec.encoders.pretrained import FULL, TRAIN
from graphrec.training.loop import FitResult, fit

_TUNED = {"gate": (), "adapter": ("map",), "full": ("encoder", "map")}


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """A model of one subset: its encoder, its parts and the weights of its channels."""

    encoder: MultiDomainEncoder
    parts: Parts
    weight: Mapping[str, float]

    def view(self, target: Target, history: str, users: IntArray | None = None) -> View:
        """Return the encoder's view of `users`, of all without."""
        asked = np.arange(target.graph.num_users) if users is None else users
        return View.of(self.encoder, target, history, asked)

    def vectors(self, target: Target) -> tuple[FloatArray, FloatArray]:
        """Return user and item vectors, popularity last, of the channels that are vectors, by all events."""
        parts = replace(self.parts, counts={})
        return joined(self.view(target, FULL).channels(parts, self.weight), self.weight)

    def share(self, source: str) -> float:
        """Return how much it counts what goes together with items of `source`, of the target for `""`."""
        return self.weight.get(f"{COUNTS}:{source}" if source else COUNTS, 0.0) if source in self.parts.counts else 0.0

    def counting(self, counts: Mapping[str, Counts], weight: Mapping[str, float]) -> "Fitted":
        """Return the model that counts item by item too."""
        return replace(self, parts=replace(self.parts, counts=counts), weight=weight)


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A fitted subset, the `weight` it began with, what validation says of it, and any further training."""

    subset: Subset
    fitted: Fitted
    weight: Mapping[str, float]
    held_out: HeldOut
    epochs: int
    curve: list[JSON]


@dataclass(frozen=True, kw_only=True)
class Judged:
    """Candidates, and which of them the guard would ship.

    `saturation` is what they bend their counts by; None where they are vectors alone.
    """

    candidates: Mapping[str, Candidate]
    decision: Decision
    saturation: float | None = None

    @property
    def shipped(self) -> Candidate:
        """The one that would ship."""
        return self.candidates[self.decision.shipped]


@dataclass(frozen=True)
class Fitting:
    """Fits subsets one after another, each under its own label in the workspace."""

    target: Target
    config: AdaptConfig
    seed: int
    workspace: Workspace
    tracker: Tracker

    def base(self, history: str, stop: int | None = None) -> tuple[MultiDomainEncoder, FitResult]:
        """Fit the encoder that every candidate goes on from."""
        return fit_own(
            self.target,
            self.config.model,
            self.config.fit,
            history,
            seed=self.seed,
            workspace=self.workspace,
            tracker=self.tracker,
            stop=stop,
        )

    def candidates(
        self, base: MultiDomainEncoder, subsets: Mapping[str, Subset]
    ) -> tuple[dict[str, Candidate], Evidence | None]:
        """Weigh the sources of each subset on validation, train on where `tune` says so; return the evidence too.

        Without validation events there is none.
        """
        target = self.target
        users = np.unique(target.valid[0])
        if not len(users):
            # Nothing to choose weights by but the train events, none of which is left out for it.
            scale, popularity = past_of(base, target, TRAIN, self.config.evidence, self.seed, 0.0).usual
            alone = Fitted(encoder=base, parts=Parts(), weight={OWN: scale, POPULARITY: popularity})
            nothing = HeldOut(np.empty(0))
            blind = {
                name: Candidate(subset=s, fitted=alone, weight=alone.weight, held_out=nothing, epochs=0, curve=[])
                for name, s in subsets.items()
            }
            return blind, None
        evidence = Evidence.of(base, target, self.config.evidence, self.seed)
        found: dict[str, Candidate] = {}
        for name, subset in subsets.items():
            weight = evidence.weights(subset).value
            fitted = Fitted(encoder=base, parts=evidence.parts, weight=weight)
            fitted, result = self._tuned(fitted, TRAIN, name, evidence.past.usual[0])
            if result is None:
                held_out = evidence.held_out(subset)
            else:
                # Likelihoods among the candidates of different encoders do not compare; NDCG@10 does.
                after = evidence.after(fitted.encoder, fitted.parts, self.seed)
                fitted, held_out = replace(fitted, weight=after.weights(subset).value), after.held_out(subset)
                held_out = replace(held_out, likelihood=None)
            found[name] = Candidate(
                subset=subset,
                fitted=fitted,
                weight=weight,
                held_out=held_out,
                epochs=result.best_epoch if result else 0,
                curve=result.curve if result else [],
            )
        return found, evidence

    def counts_or(self, vectors: Judged, evidence: Evidence | None) -> tuple[Judged, str]:
        """Return `vectors`, or the same candidates with counts where these ship, and the reason in words."""
        if evidence is None or (counted := self._counted(vectors.candidates, evidence)) is None:
            return vectors, vectors.decision.reason
        better, told = worth_more(counted.shipped.held_out, vectors.shipped.held_out)
        if better and vectors.decision.shipped == TARGET_ONLY != counted.decision.shipped:
            # The guard has compared sources with the target that counts, not with the one that does not.
            better, told = surely_better(
                counted.shipped.held_out, vectors.shipped.held_out, self.config.bootstrap, self.seed
            )
        ships = counted if better else vectors
        how = f"also counted item by item (saturation {ships.saturation})" if better else "not counted item by item"
        return ships, f"{ships.decision.reason} What goes together is {how}: over vectors {told}."

    def _counted(self, candidates: Mapping[str, Candidate], evidence: Evidence) -> Judged | None:
        """Return the candidates with what goes together counted item by item; None where nothing does.

        Of the saturations the first with which what ships has the greatest NDCG@10 on validation.
        """
        counts = counts_of(self.target, TRAIN, self.config.evidence)
        if not counts:
            return None
        tried = (self._bent(candidates, evidence, counts, value) for value in self.config.evidence.saturations)
        return max(tried, key=lambda found: found.shipped.held_out.ndcg.mean())

    def _bent(
        self, candidates: Mapping[str, Candidate], evidence: Evidence, counts: Mapping[str, Counts], saturation: float
    ) -> Judged:
        made: dict[str, Candidate] = {}
        told: dict[int, Evidence] = {}
        counts = _saturated(counts, saturation)
        for name, candidate in candidates.items():
            model = candidate.fitted
            parts, key = replace(model.parts, counts=counts), id(model.encoder)
            if key not in told:
                told[key] = evidence.after(model.encoder, parts, self.seed)
            weight, held_out = told[key].weights(candidate.subset).value, told[key].held_out(candidate.subset)
            if candidate.held_out.likelihood is None:
                held_out = replace(held_out, likelihood=None)
            made[name] = replace(candidate, fitted=model.counting(counts, weight), held_out=held_out)
        return Judged(candidates=made, saturation=saturation, decision=self.decision(made))

    def decision(self, candidates: Mapping[str, Candidate]) -> Decision:
        """Let the guard choose among `candidates`."""
        held_out = {name: c.held_out for name, c in candidates.items()}
        return guard(held_out, samples=self.config.bootstrap, seed=self.seed)

    def final(self, epochs: int, candidates: Mapping[str, Candidate], ridge: float) -> dict[str, Fitted]:
        """Fit again on train and validation events: as many epochs as were best, the weights that validation chose.

        Without `refit` the candidates are final.
        """
        if not self.config.refit:
            return {name: candidate.fitted for name, candidate in candidates.items()}
        base, _ = self.base(FULL, epochs)
        target, parts, usual = self.target, Parts(), 0.0
        if len(target.valid[0]):
            without = share_without(View.of(base, target, TRAIN, np.unique(target.valid[0])))
            past = past_of(base, target, FULL, self.config.evidence, self.seed, without)
            parts = Parts(past.residuals.maps(past.views, ridge), crosses_of(target, FULL, self.config.evidence))
            usual = past.usual[0]
        found = {}
        for name, candidate in candidates.items():
            found[name] = Fitted(encoder=base, parts=parts, weight=candidate.weight)
            if candidate.epochs:
                tuned, _ = self._tuned(found[name], FULL, f"refit-{name}", usual, candidate.epochs)
                found[name] = replace(tuned, weight=candidate.fitted.weight)
        return found

    def counting(self, plain: Mapping[str, Fitted], ships: Judged) -> dict[str, Fitted]:
        """Return the models with the counts of `ships`, if it has any, of all events where these are fitted again."""
        if ships.saturation is None:
            return dict(plain)
        if not self.config.refit:
            return {name: candidate.fitted for name, candidate in ships.candidates.items()}
        counts = _saturated(counts_of(self.target, FULL, self.config.evidence), ships.saturation)
        return {name: plain[name].counting(counts, c.fitted.weight) for name, c in ships.candidates.items()}

    def _tuned(
        self, begun: Fitted, history: str, label: str, usual: float, stop: int | None = None
    ) -> tuple[Fitted, FitResult | None]:
        """Train on from the closed form as `tune` says; `begun` itself comes back where that gains nothing.

        An encoder whose view has no weight would learn nothing: it gets the `usual` one.
        """
        config, weight = self.config, begun.weight
        if config.tune == "gate":
            return begun, None
        if config.tune == "full" and not weight[OWN]:
            weight = {**weight, OWN: usual}
        task = self._task(begun, weight, history)
        if not task.parameters():
            return begun, None
        least = None if weight == begun.weight else self._task(begun, begun.weight, history).validate()
        result = fit(
            task,
            config.transfer,
            seed=self.seed,
            workspace=self.workspace,
            tracker=self.tracker,
            label=label,
            stop=stop,
        )
        if least is not None and (result.best is None or result.best <= least):
            result = replace(result, best_epoch=0)
        if not result.best_epoch:
            # What is learnt has weights in it, which the closed form has beside it.
            return begun, result
        maps = dict(begun.parts.maps) | task.model.maps
        return replace(begun, encoder=task.model.encoder, parts=replace(begun.parts, maps=maps)), result

    def _task(self, begun: Fitted, weight: Mapping[str, float], history: str) -> TransferTask:
        """Return the training of a copy of `begun` with these weights."""
        config, encoder = self.config, new_encoder(self.target, self.config.model, self.seed)
        encoder.load_state_dict(begun.encoder.state_dict())
        return TransferTask(
            Transfer(encoder, self.target, begun.parts.maps, weight),
            config.model,
            history,
            batch_size=config.transfer.batch_size,
            seed=self.seed,
            validate=history == TRAIN,
            tuned=_TUNED[config.tune],
            weight=weight,
            parts=begun.parts,
            view_dropout=config.view_dropout,
        )


def _saturated(counts: Mapping[str, Counts], saturation: float) -> dict[str, Counts]:
    return {name: replace(found, saturation=saturation) for name, found in counts.items()}
