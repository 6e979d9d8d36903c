"""The stage as a function: triples and evidence in, a calibrated probability of being true for each out."""

from dataclasses import dataclass, replace

import numpy as np

from graphrec.core.seeds import derive_seed
from graphrec.core.tracking import Tracker
from graphrec.core.types import JSON, FloatArray, IntArray
from graphrec.core.workspace import Workspace
from graphrec.data.corrupt import take, triple_keys
from graphrec.data.dataset import Triples
from kg_denoise._lightgbm import Matrix
from kg_denoise.calibrate import Calibrated
from kg_denoise.config import DenoiseConfig
from kg_denoise.curves import curves
from kg_denoise.evidence import Evidence
from kg_denoise.labelled import bend
from kg_denoise.line import Line
from kg_denoise.prior import unseen_errors
from kg_denoise.rows import SORTS
from kg_denoise.testimony import REGRESSION, weigh

UNSEEN, TESTIMONY, LABELS = "unseen errors", "testimony", "labels"
"""Names of what speaks beside the signals."""

_KNOWN = 5.0
"""Log odds of a triple that a person judged: people err, too."""


@dataclass(frozen=True, kw_only=True)
class DenoiseResult:
    """What denoising gives, in the order of the table.

    `log_odds` [num_triples] of being true, single precision but finer than `probability` near certainty;
    `said` [num_triples, num_signals] is what each of `signals` says: those of the fusion in log odds of being
    a triple of the table rather than a corruption, mean over rounds, the others as what they add to `log_odds`
    after that;
    `summary` is what the report draws.
    """

    log_odds: FloatArray
    signals: tuple[str, ...]
    said: Matrix
    summary: JSON

    @property
    def probability(self) -> FloatArray:
        """Return the probability of being true of every triple, `[num_triples]`."""
        return (1 / (1 + np.exp(-self.log_odds.astype(np.float64)))).astype(np.float32)


def denoise(
    triples: Triples,
    evidence: Evidence,
    config: DenoiseConfig,
    *,
    labels: IntArray | None = None,
    seed: int,
    workspace: Workspace,
    tracker: Tracker,
) -> DenoiseResult:
    """Return the probability of being true of every triple, and what spoke for and against it.

    `labels` [num_triples] are 1 (true), 0 (wrong) or -1 (unknown). Equal triples get equal probabilities.
    Finished folds of every signal are kept in `workspace` and taken up again; signals that the data do not
    feed are passed over, named in the summary. Raises `ConfigError` where a signal's options lead nowhere.
    """
    if not len(triples):
        return _nothing()
    own_seed = derive_seed(seed, "denoise")
    first, inverse = _distinct(triples, evidence.num_entities)
    table = take(triples, first)
    line = Line(table, evidence, config, own_seed, workspace, tracker)
    outcome = line.run()
    combined = _Combined(table, outcome.found.log_odds, outcome.names, outcome.said)
    combined = combined.with_unseen(evidence.num_entities, config.unseen_share, outcome.found.probability)
    known = np.full(len(table), -1, dtype=np.int64) if labels is None else labels[first].astype(np.int64)
    combined, heard = combined.heard(_moved(evidence, inverse, len(table)), config, known, own_seed)
    summary = _summary(outcome.found, combined, triples, inverse, evidence.relations)
    return DenoiseResult(
        log_odds=combined.log_odds[inverse],
        signals=combined.names,
        said=combined.said[inverse],
        summary=summary | {"passed_over": line.passed_over, "testimony": heard, "num_labels": int((known >= 0).sum())},
    )


@dataclass(frozen=True)
class _Combined:
    """Log odds of the distinct triples, and what has been added to them so far."""

    table: Triples
    log_odds: FloatArray
    names: tuple[str, ...]
    said: Matrix

    def with_unseen(self, num_entities: int, share: float, found: FloatArray) -> "_Combined":
        """Leave room for errors that look right, beyond what is `found`: probabilities of being true."""
        unseen = unseen_errors(self.table, num_entities, share, found).astype(np.float64)
        right = (1 - unseen) / (1 + np.exp(-self.log_odds.astype(np.float64)))
        return self._moved_to(np.log(right) - np.log1p(-right) if share else self.log_odds, UNSEEN)

    def heard(self, evidence: Evidence, config: DenoiseConfig, labels: IntArray, seed: int) -> tuple["_Combined", JSON]:
        """Add what votes and confidences say, and what people do; take people's word for the triples they judged."""
        found, summary = self._with_testimony(evidence, config, labels if (labels >= 0).any() else None, seed)
        if not (labels >= 0).any():
            return found, summary
        if summary["how"] == REGRESSION:
            # The regression has learnt from the labels already; the signals alone have to where nobody spoke.
            spoken = found.log_odds != self.log_odds
            refitted = np.where(spoken, found.log_odds, self._bent(labels, seed))
        else:
            refitted = found._bent(labels, seed)
        known = np.select([labels == 1, labels == 0], [_KNOWN, -_KNOWN], refitted)
        return found._moved_to(known, LABELS), summary

    def _with_testimony(
        self, evidence: Evidence, config: DenoiseConfig, labels: IntArray | None, seed: int
    ) -> tuple["_Combined", JSON]:
        found = weigh(
            evidence.votes,
            self.table,
            config.testimony,
            prior_log_odds=self.log_odds,
            confidence=evidence.confidence if len(evidence.confidence) else None,
            labels=labels,
            seed=seed,
        )
        if not found.log_ratio.any():
            return self, found.summary
        return self._moved_to(self.log_odds + found.log_ratio, TESTIMONY), found.summary

    def _bent(self, labels: IntArray, seed: int) -> FloatArray:
        return bend(self.log_odds, self.said, self.table.relation, labels, seed=seed).log_odds

    def _moved_to(self, log_odds: FloatArray, name: str) -> "_Combined":
        log_odds = log_odds.astype(np.float32)
        said = np.concatenate([self.said, (log_odds - self.log_odds)[:, None]], axis=1)
        return replace(self, log_odds=log_odds, names=(*self.names, name), said=said)


def _nothing() -> DenoiseResult:
    summary = {"num_triples": 0, "noise_share": 0.0, "relations": [], "heldout": None, "truth": None}
    note = "no triples: there was nothing to denoise"
    nothing = np.empty(0, dtype=np.float32)
    return DenoiseResult(log_odds=nothing, signals=(), said=nothing.reshape(0, 0), summary={**summary, "note": note})


def _distinct(triples: Triples, num_entities: int) -> tuple[IntArray, IntArray]:
    # A copy in another fold would be a memory of the triple itself.
    key = triple_keys(triples, num_entities)
    _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    return first, inverse


def _moved(evidence: Evidence, inverse: IntArray, num: int) -> Evidence:
    """Let votes and confidences speak of the distinct triples; the highest confidence of equal ones counts."""
    confidence = evidence.confidence
    if len(confidence):
        confidence = np.zeros(num, dtype=np.float32)
        np.maximum.at(confidence, inverse, evidence.confidence)
    return replace(evidence, votes=evidence.votes.moved(inverse), confidence=confidence)


def _summary(
    found: Calibrated, combined: _Combined, triples: Triples, inverse: IntArray, relations: tuple[str, ...]
) -> JSON:
    size = len(relations)
    probability = 1 / (1 + np.exp(-combined.log_odds[inverse].astype(np.float64)))
    share, told = found.share[inverse], found.told[inverse]
    count = np.bincount(triples.relation, minlength=size)
    mean, rate, known = (
        np.bincount(triples.relation, weights=part, minlength=size) / np.maximum(count, 1)
        for part in (probability, share, told)
    )
    below = np.bincount(triples.relation[probability < 0.5], minlength=size)
    return {
        "num_triples": len(triples),
        "num_distinct": len(found.share),
        "noise_share": float(1 - probability.mean()),
        "kinds": dict(zip(SORTS, found.kinds.tolist(), strict=False)),
        "signals": list(combined.names),
        "said": [float(amount) for amount in np.abs(combined.said).mean(axis=0)],
        "relations": [
            {
                "relation": name,
                "num_triples": int(count[index]),
                "mean_probability": float(mean[index]),
                "num_below_half": int(below[index]),
                "noise_share": float(rate[index]),
                "share_told": float(known[index]),
            }
            for index, name in enumerate(relations)
            if count[index]
        ],
        "heldout": curves(found.expected, found.observed),
        "truth": None,
    }
