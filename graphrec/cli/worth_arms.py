"""The arms of the worth test: one graph each for the same events.

    full       every triple, weighted with the confidence it came with
    denoised   what the run's denoise and merge stages make of them
    random     every triple, the tails dealt anew within each relation
    none       no triple

`random` keeps how many triples an item has and how common a tail is, so what `full` has over it is
knowledge, and not more parameters or smoothing. Where relations made from behaviour are among the
triples, the first three come a second time without them: a gain from those is no gain from knowledge.
"""

from dataclasses import dataclass, replace

import numpy as np

from graphrec.core.seeds import generator
from graphrec.data.dataset import Dataset, Triples
from graphrec.data.inspect.behaviour import is_behaviour
from graphrec.graph.build import build_graph
from graphrec.graph.graph import MultiDomainGraph
from graphrec.stages.config import MergeConfig
from graphrec.stages.merge import Believed, merge

FULL, DENOISED, RANDOM, NONE = "full", "denoised", "random", "none"

ALL, KNOWLEDGE = "all", "without behaviour"
"""Which relations an arm has: all of the run, or those that are not made from behaviour."""

PAIRS = ((FULL, NONE), (DENOISED, NONE), (RANDOM, NONE), (FULL, RANDOM), (DENOISED, RANDOM), (DENOISED, FULL))
"""The comparisons that are reported, first minus second."""


@dataclass(frozen=True)
class Arm:
    """One graph to train on: how its triples are treated, and which relations it has."""

    name: str
    relations: str = ALL

    @property
    def label(self) -> str:
        """Return the name of the arm's files."""
        return f"{self.name}-{self.relations.replace(' ', '_')}"


def arms_of(dataset: Dataset) -> list[Arm]:
    """Return the arms that the relations of `dataset` ask for; a graph of behaviour alone has nothing without it."""
    behaviour = [is_behaviour(name) for name in dataset.relations]
    parts = (ALL, KNOWLEDGE) if any(behaviour) and not all(behaviour) else (ALL,)
    return [Arm(name, part) for part in parts for name in (FULL, DENOISED, RANDOM)] + [Arm(NONE)]


def arm_graph(dataset: Dataset, believed: Believed, arm: Arm, config: MergeConfig, seed: int) -> MultiDomainGraph:
    """Return the graph of `arm`; `believed` is what denoise says of the triples."""
    left_out = [name for name in dataset.relations if is_behaviour(name)] if arm.relations == KNOWLEDGE else []
    options = replace(config, drop_relations=(*config.drop_relations, *left_out))
    if arm.name == DENOISED:
        return merge(dataset, believed, options)
    if arm.name == RANDOM:
        dataset = replace(dataset, triples=shuffle_tails(dataset.triples, seed))
    keep = np.full(len(dataset.triples), arm.name != NONE)
    return build_graph(dataset, dataset.triples.confidence, keep=keep, drop_relations=options.drop_relations)


def shuffle_tails(triples: Triples, seed: int) -> Triples:
    """Return `triples` with the tails of each relation dealt anew among its rows."""
    rows = np.argsort(triples.relation, kind="stable")
    drawn = np.lexsort((generator(seed, "shuffle tails").random(len(triples)), triples.relation))
    tail = triples.tail.copy()
    tail[rows] = triples.tail[drawn]
    return replace(triples, tail=tail)
