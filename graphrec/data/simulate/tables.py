"""The played world as canonical tables, and the truth about it as tables of their own."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from graphrec.core.seeds import generator
from graphrec.core.types import IntArray
from graphrec.data.simulate.behaviour import Behaviour
from graphrec.data.simulate.config import WorldConfig
from graphrec.data.simulate.knowledge import ITEM, KINDS, RELATIONS, Facts, Graph, draw_graph
from graphrec.data.simulate.latent import Latent, Real
from graphrec.data.simulate.words import Vocabulary, Words, describe_items, draw_vocabulary, name_entities

START = 1_577_836_800
"""First second of the period, as a Unix time (2020-01-01)."""

_DAY = 86_400
_WRITERS = ("writer-1", "writer-2", "catalogue")
_WRITER_SHARES = {True: (0.3, 0.3, 0.4), False: (0.5, 0.35, 0.15)}
_BRANDS = 6


@dataclass(frozen=True)
class Ids:
    """External ids by number: persons, items (of all domains, the target's first), entities."""

    user: Words
    item: Words
    entity: Words


@dataclass(frozen=True)
class Made:
    """All that the tables are written from. starts: first item number of each domain, and the end."""

    latent: Latent
    played: Sequence[Behaviour]
    starts: IntArray
    words: Vocabulary
    graph: Graph
    facts: Facts
    ids: Ids


def make(config: WorldConfig, latent: Latent, played: Sequence[Behaviour], seed: int) -> Made:
    """Draw the words, the knowledge graph and the ids of a played world."""
    starts = np.cumsum([0, *(p.domain.num_items for p in played)])
    topic = np.concatenate([p.catalogue.topic for p in played])
    domain = np.repeat(np.arange(len(played)), np.diff(starts))
    words = draw_vocabulary(config.text, latent.centres, seed)
    graph, facts = draw_graph(config.knowledge, latent.centres, topic, domain, seed)
    rng, entities = generator(seed, "simulate", "ids"), graph.entities
    attributes = name_entities(words, entities.topic[entities.type != ITEM], rng)
    # Numbers are dealt at random over all domains, so that an id tells nothing.
    entity = np.concatenate([attributes, _numbered("e", len(topic), rng)])
    ids = Ids(_numbered("u", len(latent.lasting), rng), _numbered("i", len(topic), rng), entity)
    return Made(latent, played, starts, words, graph, facts, ids)


def world_tables(config: WorldConfig, made: Made, seed: int) -> dict[str, pl.DataFrame]:
    """Return the four canonical tables by name."""
    # Every table is sorted by time or id: the order of rows must not tell which domain was drawn first.
    return {
        "interactions": pl.concat([_interactions(config, made, i) for i in range(len(made.played))]).sort(
            "timestamp", "user", "item"
        ),
        "items": _items(config, made, seed).sort("item"),
        "triples": _triples(config, made, seed),
        "links": pl.DataFrame(
            {"item": made.ids.item, "entity": made.ids.entity[-len(made.ids.item) :], "domain": _domain_of_items(made)}
        ).sort("item"),
    }


def truth_tables(made: Made, triples: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Return the truth by name, given the table of triples; `docs/simulate.md` tells every column."""
    entities, target = made.graph.entities, made.played[0]
    return {
        "domains": _domains(made),
        "users": _users(made),
        "items": pl.DataFrame(
            {
                "item": made.ids.item,
                "domain": _domain_of_items(made),
                "topic": np.concatenate([p.catalogue.topic for p in made.played]),
                "share": np.concatenate([p.catalogue.share for p in made.played]),
            }
        ).sort("item"),
        "topics": _topics(made),
        "relevance": pl.DataFrame(
            {"user": made.ids.user[target.domain.users], "topic_probability": _vectors(target.wanted)}
        ),
        "triples": triples.with_columns(is_true=pl.lit(made.facts.kind == 0), kind=_pick(KINDS, made.facts.kind)),
        "entities": pl.DataFrame(
            {
                "entity": made.ids.entity,
                "type": entities.type,
                "topic": entities.topic,
                "point": _vectors(entities.point),
            }
        ),
    }


def _interactions(config: WorldConfig, made: Made, index: int) -> pl.DataFrame:
    played = made.played[index]
    return pl.DataFrame(
        {
            "user": made.ids.user[played.domain.users[played.events.user]],
            "item": made.ids.item[made.starts[index] + played.events.item],
            "domain": np.full(len(played.events.user), played.domain.name),
            "timestamp": START + (played.events.time * config.days * _DAY).astype(np.int64),
        }
    )


def _items(config: WorldConfig, made: Made, seed: int) -> pl.DataFrame:
    rng = generator(seed, "simulate", "items")
    topic = np.concatenate([p.catalogue.topic for p in made.played])
    section = categories(made.latent.centres)[topic]
    # Brand and category are coarser than the topic, lest a column of the table give the triples' truth away.
    brand = section * _BRANDS + rng.integers(_BRANDS, size=len(topic))
    described = describe_items(config.text, made.words, topic, rng)
    return (
        pl.DataFrame({"item": made.ids.item, "domain": _domain_of_items(made)})
        .hstack(described)
        .with_columns(
            category=pl.lit(np.char.mod("section-%02d", section)), brand=pl.lit(np.char.mod("brand-%03d", brand))
        )
    )


def categories(centres: Real) -> IntArray:
    """Return the coarse category of each topic: the nearest of every fifth topic."""
    closest: IntArray = np.argmax(centres @ centres[::5].T, axis=1)
    return closest


def _triples(config: WorldConfig, made: Made, seed: int) -> pl.DataFrame:
    rng, true = generator(seed, "simulate", "triples"), made.facts.kind == 0
    noise, draw = rng.normal(size=len(true)), rng.random(len(true))
    # A writer is mostly too sure of itself: the middle of the wrong triples' confidence is above one half.
    confidence = 1 / (1 + np.exp(-(1 + config.knowledge.confidence_gap * (true - 0.5) + noise)))
    right, wrong = (np.searchsorted(np.cumsum(_WRITER_SHARES[k])[:-1], draw, side="right") for k in (True, False))
    return _named(made).with_columns(
        source=_pick(_WRITERS, np.where(true, right, wrong)),
        confidence=pl.lit(np.clip(np.round(confidence, 2), 0.01, 1.0).astype(np.float32)),
    )


def _named(made: Made) -> pl.DataFrame:
    facts, entity = made.facts, made.ids.entity
    return pl.DataFrame(
        {"head": entity[facts.head], "relation": np.array(RELATIONS)[facts.relation], "tail": entity[facts.tail]}
    )


def _domains(made: Made) -> pl.DataFrame:
    target_users = made.played[0].domain.users
    rows = [
        {
            "domain": p.domain.name,
            "role": p.domain.role,
            "users": len(np.unique(p.events.user)),
            "items": p.domain.num_items,
            "events": len(p.events.user),
            "users_shared_with_target": int(np.isin(p.domain.users, target_users).sum()),
        }
        for p in made.played
    ]
    return pl.DataFrame(rows).sort("domain")


def _users(made: Made) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "user": np.concatenate([made.ids.user[p.domain.users] for p in made.played]),
            "domain": _repeated(made, [len(p.domain.users) for p in made.played]),
            "interest": _vectors(np.concatenate([p.interest for p in made.played])),
            "passing": _vectors(np.concatenate([made.latent.passing[p.domain.users] for p in made.played])),
        }
    )


def _topics(made: Made) -> pl.DataFrame:
    points = [made.latent.centres[made.latent.points[p.domain.name]] for p in made.played]
    return pl.DataFrame(
        {
            "domain": _repeated(made, [len(p) for p in points]),
            "topic": np.tile(np.arange(len(points[0])), len(points)),
            "point": _vectors(np.concatenate(points)),
            "bias": np.concatenate([p.bias for p in made.played]),
        }
    )


def _domain_of_items(made: Made) -> Words:
    return _repeated(made, [p.domain.num_items for p in made.played])


def _repeated(made: Made, counts: Sequence[int]) -> Words:
    return np.repeat(np.array([p.domain.name for p in made.played]), counts)


def _numbered(letter: str, count: int, rng: np.random.Generator) -> Words:
    width = max(6, len(str(count)))
    # One width for all, so that no id is a prefix of another and text order is number order.
    return np.char.mod(f"{letter}%0{width}d", rng.permutation(count))


def _pick(names: Sequence[str], index: IntArray) -> pl.Expr:
    return pl.lit(pl.Series(np.array(names)[index]))


def _vectors(rows: Real) -> pl.Series:
    return pl.Series(rows).arr.to_list()
