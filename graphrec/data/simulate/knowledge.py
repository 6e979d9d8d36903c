"""The knowledge graph: triples that follow the topics, and wrong ones of three kinds among them.

Every entity has a home topic. A triple of an item says that an attribute entity of the item's own
topic belongs to it; `part_of` ties an attribute to what its topic is about; `similar_to` ties a
topic to its two nearest. A triple is wrong exactly when the topics of its ends forbid it:

- random: the tail is any entity of the graph,
- same_type: the tail has the right type, its topic is any forbidden one,
- near: the tail has the right type, its topic is one of the nearest forbidden ones.

Tails are picked by one rule for true and wrong triples, so that nothing but the topic tells them
apart: a share of the entities occurs in every domain, the others belong to one.
"""

from dataclasses import dataclass, replace

import numpy as np

from graphrec.core.seeds import generator
from graphrec.core.types import BoolArray, IntArray
from graphrec.data.simulate.config import KnowledgeConfig
from graphrec.data.simulate.latent import Real
from graphrec.data.simulate.words import nearest

ATTRIBUTES = ("about", "used_for", "has_style", "made_of")
RELATIONS = (*ATTRIBUTES, "part_of", "similar_to")
ABOUT, PART_OF, SIMILAR_TO = 0, 4, 5
TAIL_TYPE = np.array([0, 1, 2, 3, ABOUT, ABOUT])
"""Relation -> the type of its tails; types 0 to 3 are the attributes."""

ITEM = 4
"""The type of entities that stand for items."""

TRUE, RANDOM, SAME_TYPE, NEAR = "true", "random", "same_type", "near"
KINDS = (TRUE, RANDOM, SAME_TYPE, NEAR)

_NEAR_TOPICS = 3
_SIMILAR = 2
_SCATTER = 0.15
_ROUNDS = 40


@dataclass(frozen=True)
class Entities:
    """type, topic: [entities]; owner: 0 for all domains, d + 1 for domain d; point: [entities, dims], unit rows."""

    type: IntArray
    topic: IntArray
    owner: IntArray
    point: Real


@dataclass(frozen=True)
class Facts:
    """Triples by entity number; kind: position in `KINDS`."""

    head: IntArray
    relation: IntArray
    tail: IntArray
    kind: IntArray


@dataclass(frozen=True)
class Graph:
    """Entities, the topics that each topic may be tied to by similarity, and how tails are picked."""

    entities: Entities
    near: IntArray
    per_cell: int
    num_owners: int
    shared_share: float

    def pick(self, type_: IntArray, topic: IntArray, owner: IntArray, rng: np.random.Generator) -> IntArray:
        """Draw an entity of each given type and topic, shared or of the given owner's own."""
        chosen = np.where(rng.random(len(topic)) < self.shared_share, 0, owner)
        cell = (type_ * len(self.near) + topic) * self.num_owners + chosen
        return cell * self.per_cell + rng.integers(self.per_cell, size=len(topic))

    def allows(self, head: IntArray, relation: IntArray, tail: IntArray) -> BoolArray:
        """Tell which triples are true."""
        e = self.entities
        near = (e.topic[tail][:, None] == self.near[e.topic[head], :_SIMILAR]).any(axis=1)
        right: BoolArray = (e.topic[head] == e.topic[tail]) | (near & (relation == SIMILAR_TO))
        right &= (e.type[tail] == TAIL_TYPE[relation]) & (head != tail)
        return right


def draw_graph(
    config: KnowledgeConfig, centres: Real, item_topic: IntArray, item_domain: IntArray, seed: int
) -> tuple[Graph, Facts]:
    """Return the entities (attributes first, then one per item, in order) and all triples, in random order."""
    rng, num_topics = generator(seed, "simulate", "knowledge"), len(centres)
    num_owners = 1 + int(item_domain.max()) + 1
    cell = np.repeat(np.arange(len(ATTRIBUTES) * num_topics * num_owners), config.entities)
    type_ = np.concatenate([cell // (num_topics * num_owners), np.full(len(item_topic), ITEM)])
    topic = np.concatenate([cell // num_owners % num_topics, item_topic])
    # Entities of one topic scatter around it, so that nearness in space is graded.
    point = centres[topic] + _SCATTER * rng.normal(size=(len(topic), centres.shape[1]))
    point /= np.linalg.norm(point, axis=1, keepdims=True)
    entities = Entities(type_, topic, np.concatenate([cell % num_owners, 1 + item_domain]), point)
    near = nearest(centres, _SIMILAR + _NEAR_TOPICS)
    graph = Graph(entities, near, config.entities, num_owners, config.shared_share)
    true = _true_facts(config, graph, rng)
    wrong = _wrong_facts(config, graph, true, rng)
    both = _joined([true, *wrong])
    return graph, _taken(both, rng.permutation(len(both.head)))


def _true_facts(config: KnowledgeConfig, graph: Graph, rng: np.random.Generator) -> Facts:
    e = graph.entities
    head = np.repeat(np.flatnonzero(e.type == ITEM), config.facts)
    relation = np.arange(len(head)) % config.facts % len(ATTRIBUTES)
    items = Facts(head, relation, graph.pick(relation, e.topic[head], e.owner[head], rng), np.zeros_like(head))
    # Only attributes that some item has are told more about.
    used = np.unique(items.tail)
    about, others = used[e.type[used] == ABOUT], used[e.type[used] != ABOUT]
    zero = np.zeros_like(others)
    parts = Facts(others, zero + PART_OF, graph.pick(zero, e.topic[others], e.owner[others], rng), zero)
    head = np.repeat(about, _SIMILAR)
    topic, zero = graph.near[e.topic[about], :_SIMILAR].ravel(), np.zeros_like(head)
    similar = Facts(head, zero + SIMILAR_TO, graph.pick(zero, topic, e.owner[head], rng), zero)
    return _distinct(graph, _joined([items, parts, similar]), np.empty(0, dtype=np.int64))


def _wrong_facts(config: KnowledgeConfig, graph: Graph, true: Facts, rng: np.random.Generator) -> list[Facts]:
    weight = np.array([config.random, config.same_type, config.near])
    total = round(len(true.head) * config.wrong_share / (1 - config.wrong_share)) if weight.sum() else 0
    ends = np.round(np.cumsum(weight) / max(weight.sum(), 1e-300) * total).astype(np.int64)
    made: list[Facts] = []
    for kind, count in enumerate(np.diff(ends, prepend=0), start=1):
        made.append(_draw_wrong(kind, int(count), graph, _joined([true, *made]), len(true.head), rng))
    return made


def _draw_wrong(kind: int, count: int, graph: Graph, known: Facts, num_true: int, rng: np.random.Generator) -> Facts:
    """Replace tails of true triples until `count` distinct wrong ones stand, or there is no room for more."""
    taken, made = _keys(graph, known), _taken(known, np.empty(0, dtype=np.int64))
    for _ in range(_ROUNDS):
        # Heads and relations come from true rows, so that neither tells a wrong triple.
        rows = rng.integers(num_true, size=count - len(made.head))
        if not len(rows):
            break
        head, relation = known.head[rows], known.relation[rows]
        tail = _wrong_tail(kind, graph, head, relation, rng)
        drawn = Facts(head, relation, tail, np.full(len(rows), kind))
        drawn = _taken(drawn, ~graph.allows(head, relation, tail) & (head != tail))
        made = _joined([made, _distinct(graph, drawn, np.concatenate([taken, _keys(graph, made)]))])
    return made


def _wrong_tail(kind: int, graph: Graph, head: IntArray, relation: IntArray, rng: np.random.Generator) -> IntArray:
    e, num_topics = graph.entities, len(graph.near)
    if KINDS[kind] == RANDOM:
        return rng.integers(len(e.type), size=len(head))
    topic = rng.integers(num_topics, size=len(head))
    if KINDS[kind] == NEAR:
        # The nearest topics are true of similar_to, so that its near errors start behind them.
        first = np.where(relation == SIMILAR_TO, _SIMILAR, 0)
        topic = graph.near[e.topic[head], first + rng.integers(_NEAR_TOPICS, size=len(head))]
    return graph.pick(TAIL_TYPE[relation], topic, e.owner[head], rng)


def _joined(parts: list[Facts]) -> Facts:
    return Facts(**{name: np.concatenate([getattr(p, name) for p in parts]) for name in Facts.__annotations__})


def _taken(facts: Facts, rows: IntArray | BoolArray) -> Facts:
    return replace(facts, **{name: column[rows] for name, column in vars(facts).items()})


def _distinct(graph: Graph, facts: Facts, known: IntArray) -> Facts:
    keys = _keys(graph, facts)
    first = np.unique(keys, return_index=True)[1]
    # In their order of drawing: a sort by key would favour small entity numbers later on.
    return _taken(facts, np.sort(first[~np.isin(keys[first], known)]))


def _keys(graph: Graph, facts: Facts) -> IntArray:
    num = len(graph.entities.type)
    return (facts.relation * num + facts.head) * num + facts.tail
