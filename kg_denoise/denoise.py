"""The stage as a function: triples in, a calibrated probability of being true for each out."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from graphrec.core.config import to_mapping
from graphrec.core.seeds import derive_seed
from graphrec.core.tracking import Tracker
from graphrec.core.types import JSON, FloatArray, IntArray
from graphrec.core.workspace import Workspace
from graphrec.data.corrupt import corrupt, join, take, triple_keys
from graphrec.data.dataset import Triples
from kg_denoise.calibrate import Calibrated, calibrate
from kg_denoise.config import DenoiseConfig
from kg_denoise.crossfit import cross_fit
from kg_denoise.curves import curves
from kg_denoise.fold import load_signal


@dataclass(frozen=True, kw_only=True)
class DenoiseResult:
    """`probability` [num_triples] of being true, in the order of the table, and what the report draws."""

    probability: FloatArray
    summary: JSON


def denoise(
    triples: Triples,
    num_entities: int,
    relations: Sequence[str],
    config: DenoiseConfig,
    *,
    seed: int,
    workspace: Workspace,
    tracker: Tracker,
) -> DenoiseResult:
    """Return the probability of being true of every triple. `relations` names the relations, in id order.

    Nothing but the triples is learnt from, and equal triples get equal probabilities. Finished
    folds are kept in `workspace` and taken up again; the loss of every epoch goes to `tracker`.
    """
    if not len(triples):
        return _nothing()
    distinct, inverse = _distinct(triples, num_entities)
    own_seed, num = derive_seed(seed, "denoise"), round(len(distinct) * config.corruptions)
    wrong = corrupt(distinct, num, num_entities=num_entities, seed=own_seed, kind=config.corruption)
    score = cross_fit(
        load_signal(config.signal, getattr(config, config.signal)),
        distinct,
        wrong,
        num_folds=config.folds,
        num_entities=num_entities,
        num_relations=len(relations),
        seed=own_seed,
        workspace=workspace.part(_key(distinct, config, seed)),
        tracker=tracker,
    )
    both, observed = join(distinct, wrong), np.arange(len(score)) < len(distinct)
    found = calibrate(score, both.relation, observed, config.calibration, seed=own_seed)
    return DenoiseResult(probability=found.probability[inverse], summary=_summary(found, triples, inverse, relations))


def _nothing() -> DenoiseResult:
    summary = {"num_triples": 0, "noise_share": 0.0, "relations": [], "heldout": None, "truth": None}
    note = "no triples: there was nothing to denoise"
    return DenoiseResult(probability=np.empty(0, dtype=np.float32), summary={**summary, "note": note})


def _distinct(triples: Triples, num_entities: int) -> tuple[Triples, IntArray]:
    # A copy in another fold would be a memory of the triple itself.
    _, first, inverse = np.unique(triple_keys(triples, num_entities), return_index=True, return_inverse=True)
    return take(triples, first), inverse


def _key(triples: Triples, config: DenoiseConfig, seed: int) -> str:
    # Scores that other data or options left in a workspace used twice must not be taken for ours.
    digest = hashlib.sha256(json.dumps([to_mapping(config), seed], sort_keys=True).encode())
    for column in (triples.head, triples.relation, triples.tail):
        digest.update(np.ascontiguousarray(column).tobytes())
    return digest.hexdigest()[:16]


def _summary(found: Calibrated, triples: Triples, inverse: IntArray, relations: Sequence[str]) -> JSON:
    size = len(relations)
    probability, share, told = (part[inverse] for part in (found.probability, found.share, found.told))
    count = np.bincount(triples.relation, minlength=size)
    mean, rate, known = (
        np.bincount(triples.relation, weights=part, minlength=size) / np.maximum(count, 1)
        for part in (probability, share, told)
    )
    below = np.bincount(triples.relation[probability < 0.5], minlength=size)
    return {
        "num_triples": len(triples),
        "num_distinct": len(found.probability),
        "noise_share": float(share.mean()),
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
