"""IntentionQA: purchase intentions that a language model wrote for pairs of products, and mismatched ones.

    GRAPHREC_DATA=FOLDER python -m benchmarks.denoise_sets.intentionqa [SEED ...]

A triple is (titles of both products, relation, intention). Right are the rows of the set; wrong are their
distractors, which are right intentions of other products. One triple in five of the table is wrong, drawn anew
for every seed, and no signal sees which. The opening words that only right intentions have are not used.

AUROC of right against wrong triples of the table, for the columns of `text`, for `cross_encoder`, and for the sum of
`text_match` and `cross_encoder`, each scaled to variance 1. Controls, to show what could be told without the products:

- `titles shuffled`: `text_match` after the heads have been dealt anew, so that only the intention counts.
- `intention alone`: a ridge regression on the vector of the intention that is given the labels of all other intentions.
- `intention elsewhere`: `text_match` among the triples whose intention the table holds elsewhere, since every
  wrong one is such.
"""

import gzip
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import rankdata

from graphrec.core.seeds import derive_seed, generator
from graphrec.core.tracking import NullTracker
from graphrec.core.types import BoolArray, FloatArray, IntArray
from graphrec.data.corrupt import join, take
from graphrec.data.dataset import Triples
from kg_denoise.crossfit import deal
from kg_denoise.evidence import Evidence
from kg_denoise.fold import Fold
from kg_denoise.signals.canonical import match
from kg_denoise.signals.cross_encoder import CrossEncoderSignal
from kg_denoise.signals.text import COLUMNS, compared, entity_vectors
from kg_denoise.signals.text_config import CrossEncoderConfig, TextConfig

SETS = ("task1_intent_understand", "task1_by_relation")
"""Distractors of any relation; distractors of the same relation."""

WRONG_SHARE = 0.2
FOLDS = 2
_RIDGE = 1.0


@dataclass(frozen=True, kw_only=True)
class Intentions:
    """Distinct right triples, distinct wrong ones that are not right anywhere, and the words of their ends."""

    right: Triples
    wrong: Triples
    evidence: Evidence


def load(folder: Path, name: str) -> Intentions:
    """Read one of `SETS` from the folder of the set."""
    with gzip.open(folder / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    both: tuple[set[tuple[str, ...]], set[tuple[str, ...]]] = (set(), set())
    for row in rows:
        products = f"{row['item_a_name']} ; {row['item_b_name']}"
        for letter, intention in row["options"].items():
            both[letter != row["gold_ind"]].add((products, row["relation"], intention))
    right, wrong = sorted(both[0]), sorted(both[1] - both[0])
    names = sorted({end for triple in right + wrong for end in (triple[0], triple[2])})
    relations = sorted({triple[1] for triple in right})
    evidence = Evidence(num_entities=len(names), relations=tuple(relations), text=tuple(names))
    return Intentions(
        right=_numbered(right, names, relations), wrong=_numbered(wrong, names, relations), evidence=evidence
    )


def table_of(intentions: Intentions, seed: int) -> tuple[Triples, BoolArray]:
    """Return all right triples with wrong ones among them, shuffled, and which are right."""
    num = round(len(intentions.right) * WRONG_SHARE / (1 - WRONG_SHARE))
    chosen = generator(seed, "wrong").permutation(len(intentions.wrong))[:num]
    order = generator(seed, "table").permutation(len(intentions.right) + num)
    return take(join(intentions.right, take(intentions.wrong, chosen)), order), order < len(intentions.right)


def run(seeds: Sequence[int], *, name: str = SETS[0], cross: bool = True) -> list[dict[str, object]]:
    """Return one row per variant: its mean AUROC over `seeds`, its standard deviation, and the share scored."""
    intentions = load(Path(os.environ["GRAPHREC_DATA"]) / "intentionqa", name)
    everything = join(intentions.right, intentions.wrong)
    # The vectors are the same for every seed: no label and no triple goes into them.
    vectors, _ = entity_vectors(_fold(everything, everything, intentions.evidence, 0), TextConfig())
    reader = CrossEncoderSignal(CROSS)
    results: dict[str, list[tuple[float, float]]] = {}
    for seed in seeds:
        table, right = table_of(intentions, seed)
        scores = _text(table, vectors, right, seed)
        if cross:
            read = _cross(reader, table, intentions.evidence, seed)
            scores |= {
                "cross_encoder": read,
                "text_match + cross_encoder": _scaled(scores["text_match"]) + _scaled(read),
            }
        for variant, score in scores.items():
            kept = ~np.isnan(score)
            results.setdefault(variant, []).append((auroc(right[kept], score[kept]), float(kept.mean())))
    return [
        {
            "set": name,
            "variant": variant,
            "auroc": float(np.mean(measured, axis=0)[0]),
            "sd": float(np.std([one[0] for one in measured], ddof=1)) if len(measured) > 1 else 0.0,
            "scored": float(np.mean(measured, axis=0)[1]),
            "seeds": len(measured),
        }
        for variant, measured in results.items()
    ]


CROSS = CrossEncoderConfig(epochs=1, frozen_layers=5, num_negatives=1, lr=2e-4)
"""Lighter than the defaults: a fold takes about 40 seconds of processor time."""


def auroc(right: BoolArray, score: FloatArray) -> float:
    """Return the chance that a right triple scores above a wrong one, a tie counting half."""
    num = int(right.sum())
    above = rankdata(score)[right].sum() - num * (num + 1) / 2
    return float(above / (num * (len(right) - num)))


def _text(table: Triples, vectors: FloatArray, right: BoolArray, seed: int) -> dict[str, FloatArray]:
    own, told = np.ones(len(table), dtype=np.bool_), np.ones(len(vectors), dtype=np.bool_)
    columns = compared(vectors, told, table, own, TextConfig(), seed=seed)
    scores = dict(zip(COLUMNS, columns.T, strict=True))
    dealt = table.head[generator(seed, "shuffled").permutation(len(table))]
    scores["titles shuffled"] = match(vectors, dealt, table.relation, table.tail, own, TextConfig(), seed=seed)
    scores["intention alone"] = _by_intention(vectors, table.tail, right, seed)
    elsewhere = np.bincount(table.tail)[table.tail] > 1
    scores["intention elsewhere"] = np.where(elsewhere, scores["text_match"], np.float32(np.nan))
    return scores


def _by_intention(vectors: FloatArray, tail: IntArray, right: BoolArray, seed: int) -> FloatArray:
    fold = generator(seed, "intentions").integers(5, size=len(vectors))[tail]
    score = np.empty(len(tail), dtype=np.float32)
    for index in range(5):
        known = vectors[tail[fold != index]]
        centred, label = known - known.mean(axis=0), right[fold != index] - right[fold != index].mean()
        weight = np.linalg.solve(centred.T @ centred + _RIDGE * np.eye(known.shape[1]), centred.T @ label)
        score[fold == index] = vectors[tail[fold == index]] @ weight
    return score


def _cross(signal: CrossEncoderSignal, table: Triples, evidence: Evidence, seed: int) -> FloatArray:
    nothing = take(table, np.empty(0, dtype=np.int64))
    place, _ = deal(table, nothing, num_folds=FOLDS, num_entities=evidence.num_entities, seed=seed)
    score = np.empty(len(table), dtype=np.float32)
    for index in range(FOLDS):
        train, asked = take(table, place != index), take(table, place == index)
        score[place == index] = signal.score(_fold(train, asked, evidence, derive_seed(seed, index)))[:, 0]
    return score


def _fold(train: Triples, asked: Triples, evidence: Evidence, seed: int) -> Fold:
    own = np.ones(len(asked), dtype=np.bool_)
    return Fold(index=0, train=train, asked=asked, own=own, evidence=evidence, seed=seed, tracker=NullTracker())


def _scaled(score: FloatArray) -> FloatArray:
    return np.asarray(score / np.nanstd(score), dtype=np.float32)


def _numbered(rows: Sequence[tuple[str, ...]], names: Sequence[str], relations: Sequence[str]) -> Triples:
    number, relation = ({name: place for place, name in enumerate(all_)} for all_ in (names, relations))
    return Triples(
        head=np.array([number[row[0]] for row in rows]),
        relation=np.array([relation[row[1]] for row in rows]),
        tail=np.array([number[row[2]] for row in rows]),
        confidence=np.ones(len(rows), dtype=np.float32),
    )


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]] or [0, 1, 2]
    for set_ in SETS:
        for line in run(given, name=set_, cross=set_ == SETS[0]):
            print(json.dumps(line), flush=True)
