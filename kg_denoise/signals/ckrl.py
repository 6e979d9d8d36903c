"""Triple confidence by CKRL: local, prior path and adaptive path (Xie et al., AAAI 2018)."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from graphrec.core.seeds import derive_seed
from graphrec.core.types import BoolArray, FloatArray
from graphrec.data.dataset import Triples
from kg_denoise.evidence import Evidence
from kg_denoise.fold import Fold
from kg_denoise.signals._numba_ckrl import count_paths, path_confidence
from kg_denoise.signals._numba_graph import labelled
from kg_denoise.signals._numba_rules import Rules
from kg_denoise.signals.structure_config import CKRLConfig

_SLOTS = 1 << 18
_AT_ONCE = 1 << 16
_DECAY, _GAIN = 0.9, 1e-4


class CKRLSignal:
    """Confidence of triples under a translation embedding, ||h + r - t||_1, that trusts confident triples more.

    `local` tells by how much a triple misses the margin to its corruptions; `prior` sums over paths of
    two steps R(p | h, t) (e + (1 - e) P(r | p)) (eq. 9 and 10, e = 0.01); `adaptive` is
    sig(sum R(p | h, t) / ||r - p||_1), p = r1 + r2.

    Departures. The paper scores the triples that it trains on, and lets a triple's local confidence
    fall and rise over training (eq. 5): here that weighs the loss, while a triple asked about was never
    trained on and so has no such history; for it stands minus the mean of max(0, margin + E(triple) -
    E(corruption)) over corruptions of either end, which is what the history adds up. P(r | p) counts
    the pairs of ends that a triple joins. Paths have two steps, not up to three; path confidences do
    not weigh the loss; training starts from random vectors, by Adagrad.
    """

    leaves_out: ClassVar[bool] = False

    def __init__(self, options: CKRLConfig) -> None:
        self._options = options

    def columns(self, evidence: Evidence) -> Mapping[str, int]:
        """Return the columns: all speak for a triple."""
        return {"local": 1, "prior": 1, "adaptive": 1}

    def score(self, fold: Fold) -> FloatArray:
        """Return `[len(fold.asked), 3]`; NaN for an end that training never met, or where no path joins both."""
        rng = torch.Generator().manual_seed(derive_seed(fold.seed, "ckrl"))
        model = _Translation(fold.evidence.num_entities, fold.evidence.num_relations, self._options.dim, rng)
        _train(model, _rows(fold.train), self._options, rng)
        known = _seen(fold)
        local = np.where(known, _local(model, _rows(fold.asked), self._options, rng), np.nan)
        paths = _paths(fold, model.relation.detach().numpy(), self._options.cap)
        paths[~known] = np.nan
        return np.column_stack([local, paths]).astype(np.float32)


class _Translation(nn.Module):
    def __init__(self, num_entities: int, num_relations: int, dim: int, rng: torch.Generator) -> None:
        super().__init__()
        bound = 6 / dim**0.5
        draw = torch.rand(num_entities + num_relations, dim, generator=rng) * 2 * bound - bound
        self.entity = nn.Parameter(nn.functional.normalize(draw[:num_entities], dim=1))
        self.relation = nn.Parameter(nn.functional.normalize(draw[num_entities:], dim=1))

    def energy(self, rows: Tensor) -> Tensor:
        """Return ||h + r - t||_1 of `rows` [..., 3], `[...]`; vectors of entities have length one."""
        head, tail = (nn.functional.normalize(self.entity[rows[..., k]], dim=-1) for k in (0, 2))
        distance: Tensor = (head + self.relation[rows[..., 1]] - tail).abs().sum(dim=-1)
        return distance


def _train(model: _Translation, rows: Tensor, options: CKRLConfig, rng: torch.Generator) -> None:
    optimizer = torch.optim.Adagrad(model.parameters(), lr=options.lr)
    trust = torch.ones(len(rows))
    size = min(options.batch_size, max(1, len(rows) // 8))
    for _ in range(options.epochs):
        for batch in torch.split(torch.randperm(len(rows), generator=rng), size):
            right = rows[batch]
            loss = options.margin + model.energy(right) - model.energy(_corrupt(right, rows, rng))
            optimizer.zero_grad()
            (loss.clamp(min=0) * trust[batch]).sum().backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            held = trust[batch]
            trust[batch] = torch.where(loss.detach() > 0, held * _DECAY, (held + _GAIN).clamp(max=1))


def _corrupt(right: Tensor, pool: Tensor, rng: torch.Generator) -> Tensor:
    # One end of each row becomes that of a random triple, so that popular ends are no easier.
    drawn = pool[torch.randint(len(pool), (len(right),), generator=rng)]
    at_head = torch.rand(len(right), generator=rng) < 0.5
    wrong = right.clone()
    wrong[at_head, 0], wrong[~at_head, 2] = drawn[at_head, 0], drawn[~at_head, 2]
    return wrong


@torch.inference_mode()
def _local(model: _Translation, rows: Tensor, options: CKRLConfig, rng: torch.Generator) -> FloatArray:
    missed = torch.zeros(len(rows))
    energy = torch.cat([model.energy(part) for part in torch.split(rows, _AT_ONCE)])
    for _ in range(options.comparisons):
        wrong = torch.cat([model.energy(part) for part in torch.split(_corrupt(rows, rows, rng), _AT_ONCE)])
        missed += (options.margin + energy - wrong).clamp(min=0)
    return (-missed / options.comparisons).numpy()


def _paths(fold: Fold, relation: FloatArray, cap: int) -> FloatArray:
    graph = labelled(fold.train, fold.evidence.num_entities, fold.evidence.num_relations)
    counts, total = _counts(), _counts()
    count_paths(graph, fold.train.head, fold.train.relation, fold.train.tail, counts, total, cap)
    vectors = np.concatenate([relation, -relation])  # [2 * num_relations, dim]
    asked = fold.asked
    found: FloatArray = path_confidence(graph, asked.head, asked.relation, asked.tail, counts, total, vectors, cap)
    return found


def _counts() -> Rules:
    return Rules(
        key=np.full(_SLOTS, -1, dtype=np.int64),
        used=np.zeros(1, dtype=np.int64),
        holds=np.zeros((_SLOTS, 1)),
        body=np.empty((0, 1)),
    )


def _rows(triples: Triples) -> Tensor:
    return torch.from_numpy(np.stack([triples.head, triples.relation, triples.tail], axis=1))  # [n, 3]


def _seen(fold: Fold) -> BoolArray:
    met = np.zeros(fold.evidence.num_entities, dtype=np.bool_)
    met[fold.train.head] = met[fold.train.tail] = True
    seen: BoolArray = met[fold.asked.head] & met[fold.asked.tail] & (fold.asked.head != fold.asked.tail)
    return seen
