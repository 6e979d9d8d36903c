"""What became of the triples: by relation, by how rare their entities and items are."""

from collections.abc import Sequence

import numpy as np

from graphrec.core.types import JSON, BoolArray, FloatArray, IntArray
from graphrec.data.dataset import Dataset, Triples
from kg_denoise.keep import Kept
from kg_denoise.keep_config import KeepConfig

_MID = 10
"""An entity with more than this many times `tail_degree` triples is in the head."""


def dropped(
    kept: Kept,
    probability: FloatArray,
    triples: Triples,
    relations: Sequence[str],
    num_entities: int,
    config: KeepConfig,
    *,
    popularity: IntArray | None = None,
) -> JSON:
    """Return what `config` kept and dropped, for the report.

    `popularity` [num_entities] counts the events or users of an entity's items, -1 where it stands for no
    item; `item_popularity` gives it. Entities are grouped by their triples: tail up to
    `config.tail_degree` (at least 1), mid up to ten times as many, head above; items by popularity alike.
    An expected precision is the mean probability, None of no triple.
    """
    lost = _lost(kept.keep, triples, num_entities)
    degree = _degree(triples, num_entities)
    return {
        "policy": config.policy,
        "num_triples": len(triples),
        "num_kept": int(kept.keep.sum()),
        "num_guarded": int(kept.guarded.sum()),
        "precision_before": _mean(probability),
        "precision_after": _mean(probability[kept.keep]),
        "num_entities": int((degree > 0).sum()),
        "num_entities_lost": int(lost.sum()),
        "num_entities_saved": int((_lost(kept.keep & ~kept.guarded, triples, num_entities) & ~lost).sum()),
        "relations": _relations(kept, probability, triples, relations),
        "entities": _classes(kept, triples, np.where(degree > 0, degree, -1), lost, config.tail_degree),
        "items": [] if popularity is None else _classes(kept, triples, popularity, lost, config.tail_degree),
    }


def item_popularity(dataset: Dataset) -> IntArray:
    """Return the training events of the items that each entity stands for, -1 where it stands for none."""
    events = np.bincount(dataset.train.item, minlength=len(dataset.items))
    popularity = np.full(len(dataset.entities), -1, dtype=np.int64)
    popularity[dataset.link_entity] = 0
    np.add.at(popularity, dataset.link_entity, events[dataset.link_item])
    return popularity


def _relations(kept: Kept, probability: FloatArray, triples: Triples, relations: Sequence[str]) -> list[JSON]:
    size = len(relations)
    num, num_kept = (np.bincount(triples.relation[rows], minlength=size) for rows in (slice(None), kept.keep))
    before, after = (
        np.bincount(triples.relation[rows], weights=probability[rows], minlength=size)
        for rows in (slice(None), kept.keep)
    )
    return [
        {
            "relation": name,
            "num_triples": int(num[index]),
            "num_kept": int(num_kept[index]),
            "precision_before": float(before[index] / num[index]),
            "precision_after": float(after[index] / num_kept[index]) if num_kept[index] else None,
        }
        for index, name in enumerate(relations)
        if num[index]
    ]


def _classes(kept: Kept, triples: Triples, count: IntArray, lost: BoolArray, tail_degree: int) -> list[JSON]:
    """Return one row per class of `count` [num_entities]; an entity with -1 is in none."""
    tail = max(tail_degree, 1)
    bounds = {"none": (0, 0), "tail": (1, tail), "mid": (tail + 1, _MID * tail), "head": (_MID * tail + 1, None)}
    listed = []
    for name, (low, high) in bounds.items():
        inside = (count >= low) & (count <= (np.inf if high is None else high))
        # A triple belongs to a class by either end, so that one may count for two classes.
        rows = inside[triples.head] | inside[triples.tail]
        listed.append(
            {
                "class": name,
                "at_least": low,
                "at_most": high,
                "num_entities": int(inside.sum()),
                "num_triples": int(rows.sum()),
                "num_kept": int((rows & kept.keep).sum()),
                "num_guarded": int((rows & kept.guarded).sum()),
                "num_entities_lost": int((inside & lost).sum()),
            }
        )
    return [row for row in listed if row["num_entities"]]


def _degree(triples: Triples, num_entities: int) -> IntArray:
    return np.bincount(np.concatenate([triples.head, triples.tail]), minlength=num_entities)


def _lost(keep: BoolArray, triples: Triples, num_entities: int) -> BoolArray:
    """Return which entities had triples and keep none."""
    left = np.zeros(num_entities, dtype=np.bool_)
    left[triples.head[keep]] = left[triples.tail[keep]] = True
    lost: BoolArray = (_degree(triples, num_entities) > 0) & ~left
    return lost


def _mean(probability: FloatArray) -> float | None:
    return float(probability.mean(dtype=np.float64)) if len(probability) else None
