"""CoDEx-S: Wikidata triples against hard negatives, the wrong answers of embedding models that people checked.

    GRAPHREC_DATA=FOLDER python -m benchmarks.denoise_sets.codex [SEED ...]

Signals learn from the training triples alone. Two ways to fuse them, each for all signals and for each alone:
`free` tells training triples from corruptions, and validation labels only place one threshold per relation;
`labels` learns from the validation labels, which choose the sizes of trees, too. Two further rows add to `labels`
what is measured here alone: counts and likeness, then how many validation labels of either kind share an end or a
query. The latter gains from how the negatives of this set were made: many answer the same queries. Test labels are
met only by the numbers returned.
"""

import gzip
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from graphrec.core.seeds import derive_seed, generator
from graphrec.core.tracking import NullTracker
from graphrec.core.types import BoolArray, FloatArray, IntArray
from graphrec.data.corrupt import corrupt, join, take
from graphrec.data.dataset import Triples
from kg_denoise._lightgbm import fit_forest
from kg_denoise.curves import auroc
from kg_denoise.evidence import Evidence, Pairs
from kg_denoise.fold import Fold, load_signal
from kg_denoise.fuse_config import FusionConfig
from kg_denoise.signals.embedding_config import EmbeddingConfig
from kg_denoise.signals.schema_config import FactsConfig, SchemaConfig
from kg_denoise.signals.structure_config import RulesConfig, StructureConfig

Matrix = NDArray[np.float32]

PARTS = ("valid", "valid_negatives", "test", "test_negatives")
SIGNALS: Mapping[str, tuple[object, ...]] = {
    "schema": (SchemaConfig(),),
    "facts": (FactsConfig(rivals=32, members=64),),
    "structure": (StructureConfig(cap=512),),
    "rules": (RulesConfig(cap=1024),),
    "embedding": (
        EmbeddingConfig(models=("TransE",), dim=32, lr=0.03, epochs=16, batch_size=1024, num_negatives=4, rivals=64),
        EmbeddingConfig(models=("ComplEx",), dim=64, lr=0.01, epochs=8, all_below=5000, rivals=256),
    ),
}
"""Signals, with one section of options or more."""

FREE = FusionConfig(rounds=300, leaves=15, lr=0.05)
SIZES = tuple(FusionConfig(rounds=r, leaves=n, lr=0.05, min_leaf=20) for r in (100, 200) for n in (8, 15))
"""Trees that `labels` chooses from."""

_FOLDS, _CHOICE_FOLDS, _FORESTS, _LEAST, _NEAREST = 4, 5, 5, 10, 8
_GAP = -1e6  # nothing to go by is the least that can be said for a triple


@dataclass(frozen=True, kw_only=True)
class Codex:
    """`train` and, in the order of `PARTS`, the triples `asked`: whether each is true, and of the test."""

    train: Triples
    asked: Triples
    truth: BoolArray
    test: BoolArray
    evidence: Evidence


def load(folder: Path) -> Codex:
    """Read the set from its folder."""
    parts = {name: _lines(folder / f"{name}.txt.gz") for name in ("train", *PARTS)}
    types = json.loads(gzip.decompress((folder / "entity2types.json.gz").read_bytes()))
    entities = {name: i for i, name in enumerate(sorted(types))}
    relations = {name: i for i, name in enumerate(sorted({row[1] for part in parts.values() for row in part}))}
    kinds = {name: i for i, name in enumerate(sorted({kind for found in types.values() for kind in found}))}
    pairs = np.array([(entities[e], kinds[kind]) for e, found in types.items() for kind in found])

    def numbered(rows: list[list[str]]) -> Triples:
        table = np.array([(entities[h], relations[r], entities[t]) for h, r, t in rows], dtype=np.int64)
        return _triples(table)

    count = [len(parts[name]) for name in PARTS]
    return Codex(
        train=numbered(parts["train"]),
        asked=numbered([row for name in PARTS for row in parts[name]]),
        truth=np.repeat([True, False, True, False], count),
        test=np.repeat([False, False, True, True], count),
        evidence=Evidence(
            num_entities=len(entities),
            relations=tuple(relations),
            types=Pairs.of(pairs[:, 0], pairs[:, 1], len(kinds)),
        ),
    )


def run(seeds: Sequence[int]) -> list[dict[str, object]]:
    """Return one row per variant and seed: accuracy, F1 and AUROC on test."""
    codex = load(Path(os.environ["GRAPHREC_DATA"]) / "codex_s")
    near = np.hstack([counts(codex), likeness(codex)])
    return [row for seed in seeds for row in _rows(codex, near, seed)]


def _rows(codex: Codex, near: Matrix, seed: int) -> Iterator[dict[str, object]]:
    size = codex.evidence.num_entities
    wrong = corrupt(
        codex.train, len(codex.train), num_entities=size, seed=seed, kind={"same_type": 1.0, "uniform": 1.0}
    )
    learnt = join(codex.train, wrong)
    found = {name: _columns(name, codex, wrong, seed) for name in SIGNALS}
    for names in (*((name,) for name in found), tuple(found)):
        flags = [flag for name in names for flag in found[name][1]]
        both = np.hstack([found[name][0] for name in names])
        # Counts of other tails and gaps tell how corruptions were made, and those asked for were not made so.
        rising = np.nan_to_num(both[:, np.array(flags) > 0], nan=_GAP)
        free = _free(rising[: len(learnt)], rising[len(learnt) :], learnt, codex, seed)
        title = names[0] if len(names) == 1 else "all"
        yield _row(f"free, {title}", seed, codex, free, _placed(free, codex))
        odds = _labelled(both[len(learnt) :], codex, seed, company=False)
        yield _row(f"labels, {title}", seed, codex, odds, odds > 0)
    # The last pass of the loop had all signals.
    said = np.hstack([both[len(learnt) :], near, free[:, None]])
    for company in (False, True):
        odds = _labelled(said, codex, seed, company=company)
        name = "labels, all, counts and likeness" + ", labels that share ends" * company
        yield _row(name, seed, codex, odds, odds > 0)
    odds = _labelled(np.zeros((len(codex.truth), 0), dtype=np.float32), codex, seed, company=False)
    yield _row("labels, relation alone", seed, codex, odds, odds > 0)


def _columns(name: str, codex: Codex, wrong: Triples, seed: int) -> tuple[Matrix, list[int]]:
    """Return the columns of a signal for training triples, corruptions and asked ones, in that order; their flags."""
    made = [load_signal(name, options) for options in SIGNALS[name]]
    flags = [flag for signal in made for flag in signal.columns(codex.evidence).values()]
    rows, num = join(join(codex.train, wrong), codex.asked), len(codex.train)
    own = np.arange(len(rows)) < num
    if made[0].leaves_out:
        fold = _fold(codex.train, rows, own, codex.evidence, derive_seed(seed, name), 0)
        return np.hstack([signal.score(fold) for signal in made]), flags
    # Triples asked for are scored by the models of all folds, and get the mean.
    known = num + len(wrong)
    place = generator(seed, "codex", "folds").integers(_FOLDS, size=known)
    score = np.zeros((len(rows), len(flags)), dtype=np.float32)
    for index in range(_FOLDS):
        chosen = np.concatenate([np.flatnonzero(place == index), np.arange(known, len(rows))])
        train = take(codex.train, place[:num] != index)
        fold = _fold(train, take(rows, chosen), own[chosen], codex.evidence, derive_seed(seed, name, index), index)
        each = np.hstack([signal.score(fold) for signal in made])
        score[chosen] += each / np.where(chosen < known, 1, _FOLDS)[:, None]
    return score, flags


def _fold(train: Triples, asked: Triples, own: BoolArray, evidence: Evidence, seed: int, index: int) -> Fold:
    return Fold(index=index, train=train, asked=asked, own=own, evidence=evidence, seed=seed, tracker=NullTracker())


def _free(learnt: Matrix, asked: Matrix, rows: Triples, codex: Codex, seed: int) -> FloatArray:
    """Return log odds of the asked triples, from training triples (the first half of `rows`) against corruptions."""
    forest = fit_forest(
        np.column_stack([learnt, rows.relation]).astype(np.float32),
        np.arange(len(rows)) < len(codex.train),
        monotone=[*[1] * learnt.shape[1], 0],
        categorical=np.array([learnt.shape[1]]),
        config=FREE,
        seed=seed,
    )
    return forest.logit(np.column_stack([asked, codex.asked.relation]).astype(np.float32))


def _placed(score: FloatArray, codex: Codex) -> BoolArray:
    """Return which triples lie above the best threshold of their relation in validation, or of all if it is rare."""
    relation, valid = codex.asked.relation, ~codex.test
    threshold = np.full(codex.evidence.num_relations, _best(score[valid], codex.truth[valid]))
    for index in np.flatnonzero(np.bincount(relation[valid], minlength=len(threshold)) >= _LEAST):
        rows = valid & (relation == index)
        threshold[index] = _best(score[rows], codex.truth[rows])
    above: BoolArray = score > threshold[relation]
    return above


def _best(score: FloatArray, truth: BoolArray) -> float:
    order = np.argsort(score, kind="stable")
    value = np.concatenate([[-np.inf], score[order], [np.inf]])
    right = truth.sum() + np.concatenate([[0], np.cumsum(np.where(truth[order], -1, 1))])
    cut = int(right.argmax())
    # -inf + inf is no number: a cut beyond either end is that end.
    return float(value[cut] if cut in (0, len(score)) else (value[cut] + value[cut + 1]) / 2)


def _labelled(said: Matrix, codex: Codex, seed: int, *, company: bool) -> FloatArray:
    """Return log odds of the asked triples, learnt from validation labels; the sizes of trees are chosen there."""
    valid = np.flatnonzero(~codex.test)
    place = generator(seed, "codex", "choice").integers(_CHOICE_FOLDS, size=len(codex.truth))
    right = np.zeros(len(SIZES))
    for index in range(_CHOICE_FOLDS):
        learnt, held = valid[place[valid] != index], valid[place[valid] == index]
        features = _features(said, codex, learnt, company=company)
        for size, config in enumerate(SIZES):
            odds = _forest(features, codex.truth, learnt, config, seed)(features[held])
            right[size] += ((odds > 0) == codex.truth[held]).sum()
    features, best = _features(said, codex, valid, company=company), SIZES[int(right.argmax())]
    odds = [_forest(features, codex.truth, valid, best, derive_seed(seed, k))(features) for k in range(_FORESTS)]
    return np.mean(odds, axis=0, dtype=np.float32)


def _forest(
    features: Matrix, truth: BoolArray, rows: IntArray, config: FusionConfig, seed: int
) -> Callable[[Matrix], FloatArray]:
    last = features.shape[1] - 1
    flags, categorical = [0] * (last + 1), np.array([last])
    return fit_forest(
        features[rows], truth[rows], monotone=flags, categorical=categorical, config=config, seed=seed
    ).logit


def _features(said: Matrix, codex: Codex, learnt: IntArray, *, company: bool) -> Matrix:
    """Lay beside `said` how many labels of `learnt` share an end or a query, by label; the relation comes last."""
    asked, parts = codex.asked, [said]
    known = np.zeros(len(codex.truth), dtype=np.bool_)
    known[learnt] = True
    size = codex.evidence.num_entities
    keys = (asked.relation * size + asked.head, asked.relation * size + asked.tail, asked.head, asked.tail)
    for key in keys if company else ():
        for label in (True, False):
            mark = known & (codex.truth == label)
            # A triple's own label is left out.
            parts.append((np.bincount(key, weights=mark)[key] - mark)[:, None].astype(np.float32))
    return np.hstack([*parts, asked.relation[:, None].astype(np.float32)])


def counts(codex: Codex) -> Matrix:
    """Return how often training triples have the ends of each asked triple: in its relation, in its place, in any."""
    train, asked, size = codex.train, codex.asked, codex.evidence.num_entities
    shape = (codex.evidence.num_relations, size)
    heads, tails = np.zeros(shape), np.zeros(shape)
    np.add.at(heads, (train.relation, train.head), 1)
    np.add.at(tails, (train.relation, train.tail), 1)
    h, r, t = asked.head, asked.relation, asked.tail
    own = heads[r, h], tails[r, t], heads.sum(0)[h], tails.sum(0)[h], heads.sum(0)[t], tails.sum(0)[t]
    share = heads[r, h] / heads.sum(1)[r].clip(1), tails[r, t] / tails.sum(1)[r].clip(1)
    return np.column_stack([*own, *share]).astype(np.float32)


def likeness(codex: Codex) -> Matrix:
    """Return, per end, how like it is to those with the same fact: mean of the nearest, the nearest, over the usual.

    Cosine of facts and types, weighed by rarity. The asked triples are not among the facts.
    """
    train, types, size = codex.train, codex.evidence.types, codex.evidence.num_entities
    out, into = (
        _one_hot(train.head, train.relation * size + train.tail, size),
        _one_hot(train.tail, train.relation * size + train.head, size),
    )
    facts = sp.hstack([out, into, _one_hot(types.entity, types.other, size)]).tocsr()
    rare = np.log(size / np.maximum(facts.getnnz(axis=0), 1))
    facts = facts @ sp.diags(rare)
    norm = np.sqrt(np.asarray(facts.multiply(facts).sum(axis=1)).ravel())
    facts = sp.diags(1 / np.maximum(norm, 1e-9)) @ facts
    like = np.asarray((facts @ facts.T).todense(), dtype=np.float32)  # [size, size]
    ends = ((train.head, train.tail, "head", "tail"), (train.tail, train.head, "tail", "head"))
    return np.hstack([_like(like, train.relation, mine, other, codex.asked, a, b) for mine, other, a, b in ends])


def _like(
    like: Matrix, relation: IntArray, mine: IntArray, other: IntArray, asked: Triples, end: str, across: str
) -> Matrix:
    order, size = np.lexsort((mine, relation * len(like) + other)), len(like)
    key, members = (relation * size + other)[order], mine[order]
    wanted = asked.relation * size + getattr(asked, across)
    start, stop = np.searchsorted(key, wanted), np.searchsorted(key, wanted, side="right")
    usual = np.stack([like[:, mine[relation == r]].mean(1) for r in range(asked.relation.max() + 1)])
    found = np.full((len(asked), 3), np.nan, dtype=np.float32)
    for row, (who, first, last) in enumerate(zip(getattr(asked, end), start, stop, strict=True)):
        near = np.sort(like[who, members[first:last]])[-_NEAREST:]
        if len(near):
            base = usual[asked.relation[row], who]
            found[row] = near.mean(), near[-1], np.log((near.mean() + 0.01) / (base + 0.01))
    return found


def _one_hot(entity: IntArray, fact: IntArray, size: int) -> sp.csr_matrix:
    _, column = np.unique(fact, return_inverse=True)
    return sp.csr_matrix((np.ones(len(entity)), (entity, column)), shape=(size, int(column.max()) + 1))


def _row(name: str, seed: int, codex: Codex, odds: FloatArray, above: BoolArray) -> dict[str, object]:
    truth, said, test = codex.truth[codex.test], above[codex.test], codex.test
    right = int((truth & said).sum())
    return {
        "set": "codex_s",
        "variant": name,
        "seed": seed,
        "accuracy": round(float((truth == said).mean()), 4),
        "f1": round(2 * right / max(1, int(said.sum() + truth.sum())), 4),
        "auroc": round(auroc(odds[test], truth), 4),
    }


def _lines(path: Path) -> list[list[str]]:
    return [line.split("\t") for line in gzip.decompress(path.read_bytes()).decode().splitlines() if line]


def _triples(table: IntArray) -> Triples:
    head, relation, tail = table.T.copy()
    return Triples(head=head, relation=relation, tail=tail, confidence=np.ones(len(table), dtype=np.float32))


def main() -> None:
    """Print the rows, then mean and standard deviation over seeds."""
    rows = run([int(seed) for seed in sys.argv[1:]] or [0, 1, 2])
    for row in rows:
        print(json.dumps(row))
    for name in dict.fromkeys(row["variant"] for row in rows):
        mine = np.array([[row[k] for k in ("accuracy", "f1", "auroc")] for row in rows if row["variant"] == name])
        print(name, " ".join(f"{m:.4f} ± {s:.4f}" for m, s in zip(mine.mean(0), mine.std(0, ddof=1), strict=True)))


if __name__ == "__main__":
    main()
