"""From triples to log odds: corruptions, signals, fusion, calibration, in rounds."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from graphrec.core.config import to_mapping
from graphrec.core.progress import logger
from graphrec.core.seeds import generator
from graphrec.core.tracking import Tracker
from graphrec.core.types import BoolArray, FloatArray
from graphrec.core.workspace import Workspace
from graphrec.data.dataset import Triples
from kg_denoise._lightgbm import Matrix
from kg_denoise.calibrate import Calibrated, calibrate
from kg_denoise.config import PROFILES, DenoiseConfig
from kg_denoise.crossfit import cross_fit
from kg_denoise.evidence import Evidence
from kg_denoise.fold import load_signal
from kg_denoise.fuse import Columns, Fused, fuse
from kg_denoise.rows import SORTS, Rows, make_rows
from kg_denoise.signals import LATE

_LATE_FOLDS = 2


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one round says, or all together: `found` per triple [n], and what each of `names` adds, `said` [n, k].

    `late` [n] is what late signals added to the log odds, 0 for what they were not asked.
    """

    names: tuple[str, ...]
    said: Matrix
    found: Calibrated
    late: FloatArray


class Line:
    """The way from triples to calibrated probabilities."""

    def __init__(
        self,
        table: Triples,
        evidence: Evidence,
        config: DenoiseConfig,
        seed: int,
        workspace: Workspace,
        tracker: Tracker,
    ) -> None:
        self._table, self._evidence, self._config = table, evidence, config
        self._seed, self._workspace, self._tracker = seed, workspace, tracker
        names = config.signals or PROFILES[config.profile]
        made = {name: load_signal(name, getattr(config, name)) for name in names}
        self._described = {name: dict(signal.columns(evidence)) for name, signal in made.items()}
        self._signals = {name: signal for name, signal in made.items() if self._described[name]}
        self.passed_over = [name for name in names if not self._described[name]]

    def run(self) -> Outcome:
        """Return the mean of what the rounds say."""
        found = together(list(self.rounds()))
        logger.info("denoise: %d triples are in doubt", int((found.found.probability < 0.5).sum()))
        return found

    def rounds(self) -> Iterator[Outcome]:
        """Ask the signals once per round.

        In the first round they learn from the whole table, in a later one from what the round before did not
        doubt. That finds errors which vouch for each other, and loses true triples whose company was doubted:
        the rounds err on different triples. Late signals are asked in the last for what is uncertain there.
        """
        early = [name for name in self._signals if name not in LATE]
        late = [name for name in self._signals if name in LATE]
        last = self._config.rounds if early else 1
        known: FloatArray | None = None
        for number in range(1, last + 1):
            made = self._round(number, known, early, late if number == last else [])
            known = made.found.probability
            yield made

    def _round(self, number: int, known: FloatArray | None, early: Sequence[str], late: Sequence[str]) -> Outcome:
        rows = self._rows(known)
        scores = {name: self._score(rows, name, number) for name in early}
        fused, found = self._judge(rows, scores)
        moved = np.zeros(len(found.share), dtype=np.float32)
        if late:
            band, before = self._band(rows, fused, found), found.log_odds
            scores |= {name: self._score(rows, name, number, band) for name in late}
            fused, found = self._judge(rows, scores)
            moved = np.where(band[rows.own], found.log_odds - before, moved)
        names, said = fused.contributions(len(moved))
        return Outcome(names=names, said=said, found=found, late=moved)

    def _rows(self, known: FloatArray | None) -> Rows:
        config = self._config
        return make_rows(
            self._table, self._evidence, config.corruption, config.corruptions, seed=self._seed, probability=known
        )

    def _score(self, rows: Rows, name: str, number: int, asked: BoolArray | None = None) -> Matrix:
        config, evidence = self._config, self._evidence
        # Scores that other data or options left in a workspace used twice must not be taken for ours.
        key = _key(rows, evidence, (name, config.folds, to_mapping(getattr(config, name)), self._seed), asked)
        return cross_fit(
            name,
            self._signals[name],
            rows,
            evidence,
            # A slow signal is trained twice at most: it only has to tell the uncertain apart.
            num_folds=_LATE_FOLDS if name in LATE else config.folds,
            seed=self._seed,
            workspace=self._workspace.part(key),
            tracker=self._tracker,
            asked=asked,
            number=number,
        )

    def _judge(self, rows: Rows, scores: Mapping[str, Matrix]) -> tuple[Fused, Calibrated]:
        """Fuse and calibrate twice: the first time finds how much each kind of corruption counts in the second.

        Trees that learn from kinds which the table does not have would take the others for half true.
        """
        columns, config = Columns.beside(scores, self._described, len(rows)), self._config
        fused = fuse(columns, rows, self._evidence.num_entities, config.fusion, seed=self._seed)
        first = self._calibrate(rows, fused)
        weight = first.weight
        fused = fuse(columns, rows, self._evidence.num_entities, config.fusion, weight=weight, seed=self._seed)
        found = self._calibrate(rows, fused, weight)
        return fused, replace(found, kinds=first.kinds * (found.kinds.sum() / max(first.kinds.sum(), 1e-9)))

    def _calibrate(self, rows: Rows, fused: Fused, weight: FloatArray | None = None) -> Calibrated:
        relation, config = rows.triples.relation, self._config.calibration
        return calibrate(fused.logit, relation, rows.kind, config, stratum=fused.apart, weight=weight, seed=self._seed)

    def _band(self, rows: Rows, fused: Fused, found: Calibrated) -> BoolArray:
        """Return the rows that late signals are asked for."""
        return uncertain(fused.logit, _even(fused.logit[rows.own], found.probability), self._config.band, self._seed)


def together(rounds: Sequence[Outcome]) -> Outcome:
    """Return the mean probability of the rounds in which a triple's score had a say, and of what each signal said.

    Late signals speak to the first rounds as they did in the last. What was held out for the report is the last's.
    """
    last = rounds[-1]
    told = np.stack([each.found.told for each in rounds])
    heard: BoolArray = np.logical_or.reduce(told, axis=0)
    log_odds = np.stack([*(each.found.log_odds + last.late for each in rounds[:-1]), last.found.log_odds])
    out = np.where(told | ~heard, 0.0, -np.inf)
    # By logarithms, so that what is next to certain stays in order.
    right, wrong = (np.logaddexp.reduce(out - np.logaddexp(0, sign * log_odds.astype(np.float64))) for sign in (-1, 1))
    said = np.zeros_like(last.said)
    for index, name in enumerate(last.names):
        asked = [each.said[:, each.names.index(name)] for each in rounds if name in each.names]
        said[:, index] = np.mean(asked, axis=0)
    kinds = np.zeros((len(rounds), len(SORTS)))
    for row, each in zip(kinds, rounds, strict=True):
        row[: len(each.found.kinds)] = each.found.kinds
    found = replace(
        last.found,
        log_odds=(right - wrong).astype(np.float32),
        share=np.mean([each.found.share for each in rounds], axis=0, dtype=np.float32),
        told=heard,
        kinds=kinds.mean(axis=0),
    )
    return replace(last, said=said, found=found)


def uncertain(logit: FloatArray, even: float, most: int, seed: int) -> BoolArray:
    """Return which rows are among the `most` uncertain ones, those nearest to log odds of `even`; NaN is even.

    Rows of equal features have equal odds: which of them are taken is drawn, or the first kind in the table would be.
    """
    doubt = np.abs(np.nan_to_num(logit, nan=even) - even)
    band = np.zeros(len(logit), dtype=np.bool_)
    band[np.lexsort((generator(seed, "band").random(len(logit)), doubt))[:most]] = True
    return band


def _even(logit: FloatArray, probability: FloatArray) -> float:
    """Return the log odds at which a triple is as likely true as wrong, at about that place."""
    scored = np.flatnonzero(~np.isnan(logit))
    nearest = np.argsort(np.abs(probability[scored] - 0.5), kind="stable")[: max(1, len(logit) // 100)]
    return float(np.median(logit[scored[nearest]])) if len(scored) else 0.0


def _key(rows: Rows, evidence: Evidence, options: tuple[object, ...], asked: BoolArray | None) -> str:
    digest = hashlib.sha256(json.dumps(options, sort_keys=True, default=str).encode())
    t, users, types = rows.triples, evidence.users, evidence.types
    arrays = [t.head, t.relation, t.tail, rows.context, users.entity, users.other, types.entity, types.other]
    for column in arrays if asked is None else [*arrays, asked]:
        digest.update(np.ascontiguousarray(column).tobytes())
    digest.update("\0".join((*evidence.relations, *evidence.text)).encode())
    return digest.hexdigest()[:16]
