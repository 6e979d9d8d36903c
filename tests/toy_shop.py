"""A toy world with one right answer, for the tests of denoise: items with a type, its category and a shelf."""

import numpy as np

from graphrec.core.tracking import NullTracker
from graphrec.core.workspace import Workspace
from graphrec.data.dataset import Triples
from kg_denoise.config import DenoiseConfig
from kg_denoise.denoise import DenoiseResult, denoise
from kg_denoise.evidence import Evidence
from kg_denoise.rows import Rows

RELATIONS = ("has_type", "in_category", "shelved_by")
NUM_ITEMS, NUM_TYPES = 400, 8
NUM_ENTITIES = NUM_ITEMS + 2 * NUM_TYPES + 2
EVIDENCE = Evidence(num_entities=NUM_ENTITIES, relations=RELATIONS)
QUICK = DenoiseConfig(signals=("schema", "facts"))
BRIEF = DenoiseConfig(signals=("schema",), fusion={"rounds": 5})


def triples_of(head, relation, tail) -> Triples:
    head, relation, tail = (np.asarray(column, dtype=np.int64) for column in (head, relation, tail))
    return Triples(head=head, relation=relation, tail=tail, confidence=np.ones(len(head), dtype=np.float32))


def shop() -> Triples:
    """Every item has a type and that type's category; who shelved it (one of two) follows from nothing."""
    rng, item = np.random.default_rng(0), np.arange(NUM_ITEMS)
    kind = rng.integers(NUM_TYPES, size=NUM_ITEMS)
    tails = NUM_ITEMS + kind, NUM_ITEMS + NUM_TYPES + kind, NUM_ENTITIES - 1 - item % 2
    return triples_of(np.tile(item, 3), np.repeat([0, 1, 2], NUM_ITEMS), np.concatenate(tails))


def rows_of(own: Triples, wrong: Triples, kind=0) -> Rows:
    """Stand the triples of `own`, all learnt from, before those of `wrong`."""
    columns = {name: np.concatenate([one, getattr(wrong, name)]) for name, one in vars(own).items()}
    num = len(own)
    return Rows(
        triples=Triples(**columns),
        kind=np.concatenate([np.full(num, -1), np.full(len(wrong), kind)]),
        context=np.arange(num + len(wrong)) < num,
    )


def run(triples, config=QUICK, *, evidence=EVIDENCE, labels=None, seed=0, workspace=None) -> DenoiseResult:
    with Workspace.temporary() as scratch:
        return denoise(
            triples,
            evidence,
            config,
            labels=labels,
            seed=seed,
            workspace=workspace or scratch,
            tracker=NullTracker(),
        )
