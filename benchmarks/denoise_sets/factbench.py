"""FactBench: 2,800 facts of ten relations, judged by four language models in two ways each; votes only.

    GRAPHREC_DATA=FOLDER python -m benchmarks.denoise_sets.factbench [SEED ...]

Variants: the plain vote (true if at least four of eight say so); testimony without labels; testimony with the labels
of the other folds (each fact is judged without its own), by votes on the fact alone and by those on facts that share
ends with it as well; and all of `denoise`, with these labels and votes, graph and text signals. Wrong facts of this set
were made from right ones, so that company gains more here than where errors stand alone. Everything is chosen within
the training folds.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from scipy.special import expit
from scipy.stats import binomtest, rankdata

from graphrec.core.seeds import generator
from graphrec.core.tracking import NullTracker
from graphrec.core.types import BoolArray, FloatArray, IntArray
from graphrec.core.workspace import Workspace
from graphrec.data.dataset import Triples, Votes
from kg_denoise.config import DenoiseConfig
from kg_denoise.denoise import denoise
from kg_denoise.evidence import Evidence
from kg_denoise.testimony import weigh
from kg_denoise.testimony_columns import Real
from kg_denoise.testimony_config import TestimonyConfig

FOLDS = 10
_PLAIN = 4


@dataclass(frozen=True, kw_only=True)
class Facts:
    """The facts as distinct triples with their votes; fact `f` (of 2,800) is triple `triple[f]`."""

    triples: Triples
    votes: Votes
    truth: IntArray
    triple: IntArray
    num_yes: IntArray
    evidence: Evidence


SIGNALS = ("schema", "facts", "structure", "rules", "text")


def load(folder: Path) -> Facts:
    """Read facts and verdicts from the folder of the set."""
    verdicts = pl.read_parquet(folder / "llm_verdicts.parquet").with_columns(
        voter=pl.concat_str("model", "method", separator="/"), vote=(pl.col("response") == "T").cast(pl.Float32)
    )
    facts = pl.read_parquet(folder / "facts.parquet").filter(pl.col("in_llm_subset")).sort("id")
    key = ["subject", "predicate", "object"]
    distinct = facts.group_by(key).agg(pl.col("label").first()).sort(key).with_row_index("triple")
    facts = facts.join(distinct.select("triple", *key), on=key, maintain_order="left")
    said = verdicts.join(facts.select("id", "triple"), on="id").group_by("triple", "voter").agg(pl.col("vote").mean())
    said = said.sort("triple", "voter")
    voters = sorted(said["voter"].unique())
    yes = verdicts.group_by("id").agg(pl.col("vote").sum())
    numbers = {name: distinct[name].rank("dense").to_numpy().astype(np.int64) - 1 for name in key[1:2]}
    both = pl.concat([distinct["subject"], distinct["object"]])
    ends, names = both.rank("dense").to_numpy().astype(np.int64) - 1, both.unique().sort().to_list()
    triple = said["triple"].to_numpy().astype(np.int64)
    votes = Votes(
        triple=triple,
        voter=np.searchsorted(voters, said["voter"].to_list()).astype(np.int64),
        vote=said["vote"].to_numpy(writable=True),
        num=np.ones(len(said), dtype=np.int64),
        voters=tuple(voters),
    )
    return Facts(
        triples=Triples(
            head=ends[: len(distinct)],
            relation=numbers["predicate"],
            tail=ends[len(distinct) :],
            confidence=np.ones(len(distinct), dtype=np.float32),
        ),
        votes=votes,
        truth=distinct["label"].to_numpy().astype(np.int64),
        triple=facts["triple"].to_numpy().astype(np.int64),
        num_yes=facts.join(yes, on="id", maintain_order="left")["vote"].to_numpy().astype(np.int64),
        evidence=Evidence(
            num_entities=len(names),
            relations=tuple(sorted(distinct["predicate"].unique())),
            text=tuple(names),
            votes=votes,
        ),
    )


def run(seeds: Sequence[int]) -> list[dict[str, object]]:
    """Return one row per variant and seed: balanced accuracy, AUROC, ECE, and a paired test against the plain vote."""
    facts = load(Path(os.environ["GRAPHREC_DATA"]) / "factbench_llm")
    plain = facts.num_yes >= _PLAIN
    rows = [_row("plain vote", -1, facts, np.where(plain, 1.0, -1.0), facts.num_yes / 8, plain)]
    free = weigh(facts.votes, facts.triples, TestimonyConfig())
    rows.append(
        _odds_row("without labels", -1, facts, free.log_ratio + free.base_log_odds[facts.triples.relation], plain)
    )
    for seed in seeds:
        for name, votes, options in _variants(facts):
            rows.append(_odds_row(name, seed, facts, _cross_fitted(facts, votes, options, seed), plain))
        rows.append(_odds_row("labels, votes, graph and text", seed, facts, _denoised(facts, seed), plain))
    return rows


def _variants(facts: Facts) -> Iterator[tuple[str, Votes, TestimonyConfig]]:
    yield "labels, latent classes", facts.votes, TestimonyConfig(min_labels=10**9)
    yield "labels, votes on the fact alone", facts.votes, TestimonyConfig(company=False)
    yield "labels, and votes on facts that share ends", facts.votes, TestimonyConfig()


def _cross_fitted(facts: Facts, votes: Votes, options: TestimonyConfig, seed: int) -> Real:
    """Return the log odds of each distinct triple, from the labels of the other folds."""
    fold, odds = _folds(facts, seed), np.empty(len(facts.truth))
    for out in (fold == k for k in range(FOLDS)):
        found = weigh(votes, facts.triples, options, labels=np.where(out, -1, facts.truth), seed=seed)
        odds[out] = (found.log_ratio + found.base_log_odds[facts.triples.relation])[out]
    return odds


def _denoised(facts: Facts, seed: int) -> Real:
    """Return the log odds of each distinct triple by the whole stage, from the labels of the other folds."""
    fold, odds, config = _folds(facts, seed), np.empty(len(facts.truth)), DenoiseConfig(signals=SIGNALS, folds=3)
    with Workspace.temporary() as work:
        for out in (fold == k for k in range(FOLDS)):
            # Signals see no label: those of the first fold serve all.
            labels = np.where(out, -1, facts.truth)
            made = denoise(
                facts.triples, facts.evidence, config, labels=labels, seed=seed, workspace=work, tracker=NullTracker()
            )
            odds[out] = made.log_odds[out]
    return odds


def _folds(facts: Facts, seed: int) -> IntArray:
    """Deal the triples of each relation and label into folds, in random order."""
    shuffled = generator(seed, "factbench", "folds").permutation(len(facts.truth))
    order = shuffled[np.lexsort((facts.truth[shuffled], facts.triples.relation[shuffled]))]
    fold = np.empty(len(order), dtype=np.int64)
    fold[order] = np.arange(len(order)) % FOLDS
    return fold


def _odds_row(name: str, seed: int, facts: Facts, odds: FloatArray | Real, plain: BoolArray) -> dict[str, object]:
    odds = odds[facts.triple].astype(np.float64)
    return _row(name, seed, facts, odds, expit(odds), plain)


def _row(name: str, seed: int, facts: Facts, odds: Real, probability: Real, plain: BoolArray) -> dict[str, object]:
    truth = facts.truth[facts.triple] == 1
    right, plainly = (odds > 0) == truth, plain == truth
    gained, lost = int((right & ~plainly).sum()), int((plainly & ~right).sum())
    return {
        "set": "factbench_llm",
        "variant": name,
        "seed": seed,
        "balanced_accuracy": round(float(right[truth].mean() + right[~truth].mean()) / 2, 4),
        "auroc": round(_auroc(odds if name != "plain vote" else probability, truth), 4),
        "ece": round(_ece(probability, truth), 4),
        "gained": gained,
        "lost": lost,
        "p_mcnemar": float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0,
    }


def _auroc(score: Real, truth: BoolArray) -> float:
    num, rank = int(truth.sum()), rankdata(score)
    return float((rank[truth].sum() - num * (num + 1) / 2) / (num * (len(truth) - num)))


def _ece(probability: Real, truth: BoolArray, bins: int = 10) -> float:
    place = np.minimum((probability * bins).astype(np.int64), bins - 1)
    gaps = np.bincount(place, probability - truth, bins)
    return float(np.abs(gaps).sum() / len(truth))


if __name__ == "__main__":
    for row in run([int(seed) for seed in sys.argv[1:]] or [0, 1, 2]):
        sys.stdout.write(f"{row}\n")
