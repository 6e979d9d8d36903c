"""Plausibility of a triple under knowledge-graph embeddings: PyKEEN's models behind the signal protocol.

The models, their losses and their initial values are PyKEEN's; the steps are ours, since its sampled
loop spends most of a large table on Python lists, on rivals of the wrong side and on entities that
a step does not touch. Rivals are heads and tails that the relation is used with, as often as it is:
wrong triples worth finding have ends of the right type, and mostly common ones.
"""

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from graphrec.core.errors import ConfigError
from graphrec.core.seeds import derive_seed
from graphrec.core.types import BoolArray, FloatArray
from graphrec.data.dataset import Triples
from kg_denoise.evidence import Evidence
from kg_denoise.fold import Fold
from kg_denoise.signals.embedding_config import MODELS, EmbeddingConfig

with warnings.catch_warnings():
    # PyKEEN imports torch_geometric, which still calls torch.jit.script.
    warnings.filterwarnings("ignore", "`torch.jit.script` is deprecated", DeprecationWarning)
    from pykeen.losses import CrossEntropyLoss, loss_resolver
    from pykeen.models import ERModel, model_resolver
    from pykeen.triples import CoreTriplesFactory
    from pykeen.utils import NoRandomSeedNecessary

# It says at every model how it took its embeddings, which would land between the lines of the run.
logging.getLogger("pykeen").setLevel(logging.WARNING)

_SCORED_AT_ONCE = 8192
_LEAST_STEPS = 32
_PAIRS_AT_ONCE = 512


class EmbeddingSignal:
    """Scores by embedding models: TransE, RotatE and MuRE by distance, the others by product.

    Distance models are trained with the self-adversarial loss of RotatE (Sun et al. 2019),
    -log sig(margin - d) - sum_i p_i log sig(d_i - margin) with p_i ~ exp(-temperature * d_i), the
    others with a softmax over the triple and its rivals; in a graph of fewer than `all_below`
    entities each is trained with a softmax over all tails, and all heads (Lacroix et al. 2018).

    Two columns per model: the score, and how far it is above those of rival tails and rival heads,
    s - log mean exp s_i, mean of both sides: plain scores of different heads cannot be compared.
    """

    leaves_out: ClassVar[bool] = False

    def __init__(self, options: EmbeddingConfig) -> None:
        self._options = options

    def columns(self, evidence: Evidence) -> Mapping[str, int]:
        """Return the score and the lead over rivals of each model: more is better."""
        return {f"{model}{kind}": 1 for model in self._options.models for kind in ("", " lead")}

    def score(self, fold: Fold) -> FloatArray:
        """Train on `fold.train` and score `fold.asked`; log the loss of every epoch.

        A triple with an end or a relation that no triple of `fold.train` has gets NaN.

        Raises `ConfigError` when training diverges.
        """
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        train, asked = (_tensor(part).to(device) for part in (fold.train, fold.asked))
        score = np.full((len(fold.asked), 2 * len(self._options.models)), np.nan, dtype=np.float32)
        # An end that training never met still has its random vector, whose score would be chance.
        seen = _seen(fold)
        for index, name in enumerate(self._options.models):
            with _seeded(derive_seed(fold.seed, name), device):
                model = self._trained(name, train, fold)
                score[seen, 2 * index : 2 * index + 2] = self._scores(model, train, asked[torch.from_numpy(seen)])
        return score

    def _trained(self, name: str, train: Tensor, fold: Fold) -> ERModel:
        options, evidence = self._options, fold.evidence
        against_all = evidence.num_entities < options.all_below
        model = _make(name, train, evidence, options, against_all=against_all)
        steps: _AgainstAll | _AgainstRivals = (
            _AgainstAll(train, options.penalty if MODELS[name].nuclear else 0.0)
            if against_all
            else _AgainstRivals(train, evidence, options)
        )
        optimizers = _optimizers(model, options.lr)
        model.train()
        for epoch in range(options.epochs):
            total, num = torch.zeros((), device=train.device), 0
            for loss in steps.epoch(model):
                _descend(loss, optimizers)
                model.post_parameter_update()
                total, num = total + loss.detach(), num + 1
            mean = float(total) / num
            if not np.isfinite(mean):
                raise ConfigError(f"denoise.embedding: {name} diverged; lower lr ({options.lr:g})")
            fold.tracker.log_metrics({f"loss_{name}_{fold.name}": mean}, step=epoch)
        return model

    def _scores(self, model: ERModel, train: Tensor, asked: Tensor) -> FloatArray:
        model.eval()
        pool = _Rivals(train, model.num_relations)
        with torch.inference_mode():
            parts = [_score(model, part, pool, self._options.rivals) for part in torch.split(asked, _SCORED_AT_ONCE)]
        return np.asarray(torch.cat(parts).cpu().numpy(), dtype=np.float32)


def _make(name: str, train: Tensor, evidence: Evidence, options: EmbeddingConfig, *, against_all: bool) -> ERModel:
    recipe = MODELS[name]
    margin = {"margin": options.margin or recipe.margin, "adversarial_temperature": options.temperature}
    factory = CoreTriplesFactory(train.cpu(), num_entities=evidence.num_entities, num_relations=evidence.num_relations)
    model = model_resolver.make(
        name,
        triples_factory=factory,
        embedding_dim=options.dim,
        random_seed=NoRandomSeedNecessary,
        loss=CrossEntropyLoss()
        if against_all
        else loss_resolver.make(recipe.loss, {} if recipe.margin is None else margin),
        **recipe.changed,
    ).to(train.device)
    for representation in model.entity_representations:
        # A step touches few entities of many; a dense gradient would cost as much as all of them.
        representation._embeddings.sparse = not against_all
    for representation in (*model.entity_representations, *model.relation_representations):
        # Weight decay as it comes is meant for hundreds of epochs; in a few it only shrinks what was learnt.
        representation.regularizer = None
        if recipe.spread is not None:
            torch.nn.init.normal_(representation._embeddings.weight, std=recipe.spread)
    return model


def _optimizers(model: ERModel, lr: float) -> list[torch.optim.Optimizer]:
    sparse = [r._embeddings.weight for r in model.entity_representations if r._embeddings.sparse]
    dense = [p for p in model.parameters() if all(p is not s for s in sparse)]
    return [torch.optim.Adam(dense, lr=lr), *([torch.optim.SparseAdam(sparse, lr=lr)] if sparse else [])]


def _descend(loss: Tensor, optimizers: list[torch.optim.Optimizer]) -> None:
    for optimizer in optimizers:
        optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    for optimizer in optimizers:
        optimizer.step()


class _Rivals:
    """Other ends of each relation, drawn as often as its triples in `train` [n, 3] have them."""

    def __init__(self, train: Tensor, num_relations: int) -> None:
        order = torch.argsort(train[:, 1], stable=True)
        self._ends = train[order][:, ::2].T.contiguous()  # [2, n]
        self._count = torch.bincount(train[:, 1], minlength=num_relations)
        self._start = torch.cumsum(self._count, 0) - self._count

    def draw(self, relation: Tensor, num: int, side: int) -> Tensor:
        """Return `[len(relation), num]` heads where `side` is 0, tails where it is 1."""
        chance = torch.rand(len(relation), num, device=relation.device)
        place = self._start[relation, None] + (chance * self._count[relation, None]).long()
        return self._ends[side][place]


@dataclass(frozen=True)
class _AgainstRivals:
    """Steps of the softmax, or the self-adversarial loss, against sampled tails and heads."""

    train: Tensor
    evidence: Evidence
    options: EmbeddingConfig

    def epoch(self, model: ERModel) -> Iterator[Tensor]:
        """Yield the loss of each step."""
        pool, num = _Rivals(self.train, self.evidence.num_relations), len(self.train)
        size = min(self.options.batch_size, -(-num // _LEAST_STEPS))
        for rows in torch.split(torch.randperm(num, device=self.train.device), size):
            batch = self.train[rows]
            score = model.score_hrt(batch)
            yield (
                sum(
                    model.loss.process_slcwa_scores(score, rival) / 2
                    for rival in _rival_scores(model, batch, pool, self.options.num_negatives)
                )
                + model.collect_regularization_term()
            )


def _rival_scores(model: ERModel, batch: Tensor, pool: _Rivals, num: int) -> Iterator[Tensor]:
    relation = batch[:, 1]
    yield model.score_t(batch[:, :2], tails=pool.draw(relation, num, 1))
    yield model.score_h(batch[:, 1:], heads=pool.draw(relation, num, 0))


class _AgainstAll:
    """Steps of the softmax over all tails of a head and relation, then over all heads of a relation and tail.

    `penalty` weighs the nuclear 3-norm, the sum of |x|^3 of the vectors of a triple (Lacroix et al. 2018, eq. 5;
    there it is by the same weight for all three): what few triples speak of stays small. PyKEEN's own regularizers
    count whatever a step scores, which here is every entity.
    """

    def __init__(self, train: Tensor, penalty: float = 0.0) -> None:
        self._penalty = penalty
        # Per side: pairs [p, 2] and, per row of `train` sorted by pair, the pair's place and the other end.
        self._sides = [_grouped(train, keep, other) for keep, other in ((slice(0, 2), 2), (slice(1, 3), 0))]

    def epoch(self, model: ERModel) -> Iterator[Tensor]:
        """Yield the loss of each step: cross entropy, each pair weighing as much as it has triples."""
        for side, (pairs, start, ends) in enumerate(self._sides):
            ask = model.score_h if side else model.score_t
            size = min(_PAIRS_AT_ONCE, -(-len(pairs) // _LEAST_STEPS))
            for rows in torch.split(torch.randperm(len(pairs), device=pairs.device), size):
                score = ask(pairs[rows])  # [b, num_entities]
                count = start[rows + 1] - start[rows]
                place = torch.repeat_interleave(torch.arange(len(rows), device=rows.device), count)
                within = torch.arange(len(place), device=rows.device) - (torch.cumsum(count, 0) - count)[place]
                end = ends[start[rows][place] + within]
                won = score[place, end].sum()
                loss = (torch.logsumexp(score, dim=1) @ count.to(score.dtype) - won) / len(place)
                if self._penalty:
                    kept = pairs[rows][place]
                    ids = torch.cat([kept[:, side], end]), kept[:, 1 - side]
                    loss = loss + self._penalty * _cubes(model, *ids) / len(place)
                yield loss + model.collect_regularization_term()


def _cubes(model: ERModel, entity: Tensor, relation: Tensor) -> Tensor:
    """Return the sum of |x|^3 over the vectors of all of `entity` and `relation`."""
    total = torch.zeros((), device=entity.device)
    for (vectors,), ids in ((model.entity_representations, entity), (model.relation_representations, relation)):
        some, count = torch.unique(ids, return_counts=True)
        total = total + (vectors(some).abs() ** 3).sum(dim=1) @ count.to(total.dtype)
    return total


def _grouped(train: Tensor, keep: slice, other: int) -> tuple[Tensor, Tensor, Tensor]:
    pairs, group = torch.unique(train[:, keep], dim=0, return_inverse=True)
    start = torch.cumsum(torch.bincount(group, minlength=len(pairs)), 0)
    return pairs, torch.cat([start.new_zeros(1), start]), train[torch.argsort(group), other]


def _score(model: ERModel, asked: Tensor, pool: _Rivals, num: int) -> Tensor:
    """Return the score and the lead over `num` rivals of each side, `[len(asked), 2]`."""
    score = model.score_hrt(asked)
    lead = torch.zeros_like(score)
    for column, rivals in ((2, pool.draw(asked[:, 1], num, 1)), (0, pool.draw(asked[:, 1], num, 0))):
        ask = model.score_t(asked[:, :2], tails=rivals) if column else model.score_h(asked[:, 1:], heads=rivals)
        # The triple is no rival of its own.
        ask = ask.masked_fill(rivals == asked[:, column, None], -torch.inf)
        count = torch.isfinite(ask).sum(dim=1, keepdim=True)
        lead = lead + (score - torch.logsumexp(ask, dim=1, keepdim=True) + count.log()) / 2
    return torch.cat([score, torch.where(torch.isfinite(lead), lead, torch.nan)], dim=1)


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    # The caller's stream is put back, so that scoring a fold disturbs nobody else's numbers.
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


def _tensor(triples: Triples) -> Tensor:
    return torch.from_numpy(np.stack([triples.head, triples.relation, triples.tail], axis=1))  # [n, 3]


def _seen(fold: Fold) -> BoolArray:
    met, used = (
        np.zeros(fold.evidence.num_entities, dtype=np.bool_),
        np.zeros(fold.evidence.num_relations, dtype=np.bool_),
    )
    met[fold.train.head] = met[fold.train.tail] = used[fold.train.relation] = True
    return met[fold.asked.head] & met[fold.asked.tail] & used[fold.asked.relation]
