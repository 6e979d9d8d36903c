"""Plausibility of a triple by reading its three texts together: KG-BERT (Yao et al. 2019, arXiv 1909.03193).

[CLS] head [SEP] relation [SEP] tail [SEP] goes through a small language model whose upper layers learn
to tell triples of the table from corruptions. It leaves the paper where that saves time: lower layers
stay as they are and read each text by itself, once (MacAvaney et al. 2020, PreTTR), and the output
layer adds to a first guess by the vectors of both ends.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

from graphrec.core.progress import track
from graphrec.core.seeds import derive_seed, generator
from graphrec.core.types import BoolArray, FloatArray, IntArray
from graphrec.data.corrupt import join, take, triple_keys
from graphrec.data.dataset import Triples
from graphrec.text.read import available, model_folder, shortened
from graphrec.text.words import has_words
from kg_denoise.curves import auroc
from kg_denoise.evidence import Evidence
from kg_denoise.fold import Fold
from kg_denoise.signals.canonical import match
from kg_denoise.signals.pair_model import PairModel
from kg_denoise.signals.reading import Reader
from kg_denoise.signals.text_config import CrossEncoderConfig, TextConfig

_SCORED_AT_ONCE, _POOL, _TRIES, _LOGGED = 64, 32, 4, 50
_SIDES: tuple[Literal["left"], Literal["right"]] = ("left", "right")
_SAME_RELATION, _WARM, _HEAD_LR = 0.8, 0.1, 10.0
_HELD_OUT = 0.2


class CrossEncoderSignal:
    """Trains on the triples of a fold against corruptions of them, then reads the asked ones.

    The first guess at every triple is `text_match` (see `text`), which for a triple learnt from is
    itself cross-fitted; the network learns what the guess leaves open. Where it does not tell a fifth of the
    triples, held out, from their corruptions better than the guess does, the guess is the score.
    """

    leaves_out: ClassVar[bool] = False

    def __init__(self, options: CrossEncoderConfig) -> None:
        self._options = options
        self._reader: Reader | None = None

    def columns(self, evidence: Evidence) -> Mapping[str, int]:
        """Return the one column; none where fewer than two entities have words, or no language model is at hand."""
        if self._options.model is None and not available(self._options.model):
            return {}
        return {"cross_encoder": 1} if len(evidence.text) and has_words(evidence.text).sum() > 1 else {}

    def score(self, fold: Fold) -> FloatArray:
        """Return scores `[len(fold.asked), 1]`, NaN where an end has no words; log the loss along the way.

        Logits or first guesses, of mean 0 and variance 1: those of another fold have another scale.

        Raises `MissingExtraError` or `ConfigError` where there is no language model.
        """
        told = has_words(fold.evidence.text)
        train = take(fold.train, told[fold.train.head] & told[fold.train.tail])
        rows = np.flatnonzero(told[fold.asked.head] & told[fold.asked.tail])
        score = np.full((len(fold.asked), 1), np.nan, dtype=np.float32)
        if len(train) and len(rows):
            # The sample is drawn before anything is read, so that only its texts are.
            kept = generator(fold.seed, "learnt").permutation(len(train))[: self._options.max_triples]
            found = self._logits(take(train, np.sort(kept)), take(fold.asked, rows), fold)
            score[rows, 0] = (found - found.mean()) / max(float(found.std()), 1e-6)
        return score

    def _logits(self, learnt: Triples, asked: Triples, fold: Fold) -> FloatArray:
        reader = self._read(learnt, asked, fold.evidence)
        held = generator(fold.seed, "held out").random(len(learnt)) < _HELD_OUT
        fitted = np.flatnonzero(~held)
        steps = [fitted[step] for step in _steps(reader.length(take(learnt, fitted)), self._options, fold.seed)]
        steps.append(np.flatnonzero(held))
        known = np.sort(triple_keys(fold.train, fold.evidence.num_entities))
        wrong, source = corrupted(
            learnt, np.concatenate(steps), self._options.num_negatives, known, fold.evidence.num_entities, fold.seed
        )
        everything = join(join(learnt, wrong), asked)
        own = np.arange(len(everything)) < len(learnt)
        task = _Task(reader, everything, _guesses(reader, everything, own, fold.seed))
        with _seeded(fold.seed):
            model, rows = reader.model(), np.arange(len(everything) - len(asked), len(everything))
            *pairs, unseen = _pairs(steps, source, len(learnt))
            self._train(model, task, pairs, fold)
            return task.logits(model, rows) if task.gains(model, *unseen, fold) else task.guess[rows]

    def _read(self, learnt: Triples, asked: Triples, evidence: Evidence) -> Reader:
        if self._reader is None or self._reader.evidence is not evidence:
            folder = model_folder(self._options.model, "denoise.cross_encoder")
            self._reader = Reader(folder, evidence, self._options)
        self._reader.read(join(learnt, asked))
        return self._reader

    def _train(self, model: PairModel, task: "_Task", pairs: list[tuple[IntArray, IntArray]], fold: Fold) -> None:
        optimizer, schedule = _optimizer(model, self._options.lr, len(pairs))
        model.train()
        losses: list[float] = []
        for step, (right, wrong) in enumerate(track(pairs, "denoise: fitting")):
            loss = task.loss(model, right, wrong)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            losses.append(float(loss.detach()))
            if len(losses) == _LOGGED or step + 1 == len(pairs):
                fold.tracker.log_metrics({f"cross_encoder_loss_{fold.name}": float(np.mean(losses))}, step=step)
                losses = []


@dataclass(frozen=True)
class _Task:
    """Triples to learn from or to score, by position, with a first guess at each."""

    reader: Reader
    triples: Triples
    guess: FloatArray

    def loss(self, model: PairModel, right: IntArray, wrong: IntArray) -> Tensor:
        """Return the mean binary cross-entropy, right and wrong triples together counting the same."""
        rows = np.concatenate([right, wrong])
        logits = model(*self._inputs(rows))
        sign = torch.ones(len(rows), device=logits.device)
        sign[: len(right)] = -1
        loss = nn.functional.softplus(sign * logits)
        return (loss[: len(right)].mean() + loss[len(right) :].sum() / max(len(wrong), 1)) / 2

    def logits(self, model: PairModel, rows: IntArray) -> FloatArray:
        """Return the logit of each row, longest read first."""
        model.eval()
        order = np.argsort(-self.reader.length(take(self.triples, rows)), kind="stable")
        logits = np.empty(len(rows), dtype=np.float32)
        parts = [order[start : start + _SCORED_AT_ONCE] for start in range(0, len(order), _SCORED_AT_ONCE)]
        with torch.inference_mode():
            for part in track(parts, "denoise: scoring"):
                logits[part] = model(*self._inputs(rows[part])).float().cpu().numpy()
        return logits

    def gains(self, model: PairModel, right: IntArray, wrong: IntArray, fold: Fold) -> bool:
        """Return whether `model` tells rows that it did not learn from apart better than the guess; log both AUROCs.

        By ranks, since the guess has no scale of its own. True where there is nothing to compare by.
        """
        if not len(right) or not len(wrong):
            return True
        rows, observed = np.concatenate([right, wrong]), np.arange(len(right) + len(wrong)) < len(right)
        learnt, guess = (auroc(score, observed) for score in (self.logits(model, rows), self.guess[rows]))
        found = {"cross_encoder_heldout_auroc": learnt, "cross_encoder_guess_auroc": guess}
        fold.tracker.log_metrics({f"{name}_{fold.name}": value for name, value in found.items()}, step=0)
        return learnt > guess

    def _inputs(self, rows: IntArray) -> tuple[Tensor, Tensor, Tensor]:
        states, segment = self.reader.states.joined(self.reader.places(take(self.triples, rows)))
        return states, segment, torch.from_numpy(self.guess[rows]).to(states.device)


def _guesses(reader: Reader, triples: Triples, own: BoolArray, seed: int) -> FloatArray:
    """Return `text_match` of each triple, scaled to variance 1, 0 where there is none."""
    options = TextConfig()
    head, _, tail = reader.places(triples)
    vectors = shortened(reader.vectors, options.dim)
    guess = match(vectors, head, triples.relation, tail, own, options, seed=seed)
    scale = np.nanstd(guess) if not np.isnan(guess).all() else 1.0
    return np.asarray(np.nan_to_num(guess / max(float(scale), 1e-6)), dtype=np.float32)


def _steps(length: IntArray, options: CrossEncoderConfig, seed: int) -> list[IntArray]:
    """Return the rows of each step: every epoch in a new order, alike in length within a step."""
    size, steps = options.batch_size, []
    for epoch in range(options.epochs):
        rng = generator(seed, "order", epoch)
        order = rng.permutation(len(length))
        pools = [order[start : start + size * _POOL] for start in range(0, len(order), size * _POOL)]
        alike = np.concatenate([pool[np.argsort(length[pool], kind="stable")] for pool in pools])
        parts = [alike[start : start + size] for start in range(0, len(alike), size)]
        steps += [parts[place] for place in rng.permutation(len(parts))]
    return steps[: options.max_steps]


def _pairs(steps: list[IntArray], source: IntArray, first: int) -> list[tuple[IntArray, IntArray]]:
    """Join the rows of each step with the positions of their corruptions, which stand from `first` on."""
    bounds = np.searchsorted(source, np.cumsum([0, *map(len, steps)]))
    wrong = [first + np.arange(low, high) for low, high in pairwise(bounds.tolist())]
    return list(zip(steps, wrong, strict=True))


def corrupted(
    triples: Triples, rows: IntArray, num: int, known: IntArray, num_entities: int, seed: int
) -> tuple[Triples, IntArray]:
    """Return corruptions of `rows` of `triples`, and the position in `rows` that each comes from, ascending.

    There are `num` for each, none of whose keys is in `known` (ascending). Head or tail, by a coin,
    gives way to that of another triple: of the same relation four times out of five, else of any. What
    is still a known triple after a few tries is left out.
    """
    rng, by_relation = generator(seed, "negatives"), np.argsort(triples.relation, kind="stable")
    source = take(triples, np.repeat(rows, num))
    low, high = (np.searchsorted(triples.relation[by_relation], source.relation, side=side) for side in _SIDES)
    made, still = source, np.arange(len(source))
    for _ in range(_TRIES):
        near, far = by_relation[rng.integers(low, high)], rng.integers(len(triples), size=len(source))
        other = take(triples, np.where(rng.random(len(source)) < _SAME_RELATION, near, far))
        at_head = rng.random(len(source)) < 0.5
        drawn = {"head": np.where(at_head, other.head, source.head), "tail": np.where(at_head, source.tail, other.tail)}
        again = np.zeros(len(source), dtype=np.bool_)
        again[still] = True
        made = replace(made, **{end: np.where(again, value, getattr(made, end)) for end, value in drawn.items()})
        still = np.flatnonzero(_contains(known, triple_keys(made, num_entities)))
    kept = np.setdiff1d(np.arange(len(source)), still)
    return take(made, kept), kept // num


def _contains(ascending: IntArray, keys: IntArray) -> BoolArray:
    place = np.minimum(np.searchsorted(ascending, keys), len(ascending) - 1)
    return np.equal(ascending[place], keys)


def _optimizer(model: PairModel, lr: float, num_steps: int) -> tuple[Any, Any]:
    groups = [
        {"params": list(model.layers.parameters()), "lr": lr},
        {"params": [model.segment, model.trust, *model.out.parameters()], "lr": lr * _HEAD_LR},
    ]
    optimizer, warm = torch.optim.AdamW(groups, weight_decay=0.01), max(1, round(_WARM * num_steps))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warm, (num_steps - step) / max(num_steps - warm, 1))
    )
    return optimizer, schedule


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    # The caller's streams are put back, so that scoring a fold disturbs nobody else's numbers.
    devices = list(range(torch.cuda.device_count()))
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(derive_seed(seed, "cross_encoder"))
        yield
