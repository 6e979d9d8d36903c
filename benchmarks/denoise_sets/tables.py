"""The triples of public sets with what is known beside them, as `(triples, evidence)`."""

import gzip
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from graphrec.core.types import BoolArray, IntArray
from graphrec.data.corrupt import mix, take
from graphrec.data.dataset import Triples
from graphrec.data.inspect.behaviour import is_behaviour
from graphrec.data.nearness import near_tails
from graphrec.data.simulate import plant
from kg_denoise.evidence import Evidence, Pairs

NAMES = ["head", "relation", "tail"]


@dataclass(frozen=True, kw_only=True)
class Table:
    """Triples and evidence; `truth` [num_triples] where all is known, `label` 1, 0 or -1 where some is."""

    triples: Triples
    evidence: Evidence
    truth: BoolArray | None = None
    label: IntArray | None = None
    row: IntArray | None = None


def folder() -> Path:
    """Return the folder of the public sets."""
    return Path(os.environ["GRAPHREC_DATA"])


def beauty(*, behaviour: bool = False, rows: int | None = None) -> Table:
    """amazon5's graph of beauty with item words and buyers; `behaviour` keeps co-purchase relations, `rows` samples."""
    data = folder() / "amazon5"
    table = pl.read_parquet(data / "kg_beauty.parquet").filter(pl.col("tail") != "").unique(maintain_order=True)
    if not behaviour:
        table = table.filter(~pl.col("relation").is_in([r for r in table["relation"].unique() if is_behaviour(r)]))
    if rows is not None and rows < table.height:
        # Whole heads, so that a smaller table is as dense as the whole.
        heads = table["head"].unique(maintain_order=True).sample(fraction=rows / table.height, seed=0)
        table = table.filter(pl.col("head").is_in(heads.implode()))
    words = {}
    for line in gzip.decompress((data / "item_keywords_beauty.txt.gz").read_bytes()).decode().splitlines():
        item, _, tokens = line.strip().partition(" ")
        words[item] = " ".join(filter(None, tokens.split("|"))).replace("\u2581", " ")
    events = pl.read_parquet(data / "interactions_ordered.parquet").filter(pl.col("domain") == "beauty")
    return numbered(table.select(NAMES), words, events.select("user", "item"))


def lastfm() -> Table:
    """HetRec Last.FM's part of Freebase with artist names and listeners; other entities are numbers."""
    data, tsv = folder() / "lastfm_kg", {"separator": "\t", "has_header": False}
    table = pl.read_csv(data / "kg.txt.gz", new_columns=NAMES, schema_overrides=[pl.String] * 3, **tsv)
    artists = pl.read_csv(data / "artists.dat.gz", separator="\t", quote_char=None).select("id", "name")
    index = pl.read_csv(data / "item_index2entity_id.txt.gz", new_columns=["id", "item"], **tsv).join(artists, on="id")
    events = pl.read_csv(data / "ratings_final.txt.gz", new_columns=["user", "item", "label"], **tsv)
    events = events.filter(pl.col("label") == 1).select("user", pl.col("item").cast(pl.String))
    return numbered(table, dict(zip(index["item"].cast(pl.String), index["name"], strict=True)), events)


def nell() -> Table:
    """NELL-sports with the types and names in its ids; `label` by people, `row` the number of each belief."""
    data, tsv = folder() / "nell_sports_kgeval", {"separator": "\t", "has_header": False, "quote_char": None}
    table = pl.read_csv(data / "beliefs.tsv.gz", new_columns=["id", *NAMES], **tsv)
    said = pl.read_csv(data / "mturk_labels.tsv.gz", new_columns=["id", "label"], **tsv)
    table = table.join(said, on="id", how="left", maintain_order="left").with_columns(pl.col("label").fill_null(-1))
    made = numbered(table.select(NAMES), {}, None)
    parts = [text.split(":") for text in made.evidence.text]
    types, of = np.unique([part[1] for part in parts], return_inverse=True)
    evidence = Evidence(
        num_entities=made.evidence.num_entities,
        relations=made.evidence.relations,
        text=tuple(part[-1].replace("_", " ") for part in parts),
        types=Pairs.of(np.arange(len(of)), of.astype(np.int64), len(types)),
    )
    return Table(triples=made.triples, evidence=evidence, label=table["label"].to_numpy(), row=table["id"].to_numpy())


def planted(seed: int) -> Table:
    """A planted world as `graphrec simulate` makes it, confidence left aside."""
    with tempfile.TemporaryDirectory() as scratch:
        out, truth = Path(scratch) / "world", Path(scratch) / "truth"
        plant(out, [f"seed={seed}"], truth)
        table = pl.read_parquet(truth / "triples.parquet")
        key = ["item", "domain"]
        links = pl.read_parquet(out / "links.parquet")
        items = pl.read_parquet(out / "items.parquet").join(links, on=key)
        events = pl.read_parquet(out / "interactions.parquet").join(links, on=key).select("user", item="entity")
    words = dict(zip(items["entity"], items["title"] + " " + items["text"], strict=True))
    made = numbered(table.select(NAMES), words, events)
    return Table(triples=made.triples, evidence=made.evidence, truth=table["is_true"].to_numpy())


def injected(table: Table, share: float, kind: str, seed: int) -> Table:
    """Mix wrong triples into `table`, whose own are taken for true."""
    num, text = table.evidence.num_entities, table.evidence.text
    near = near_tails(table.triples, num, text, seed=seed) if kind in ("near", "mixed") else None
    mixed, order, _ = mix(table.triples, share, num_entities=num, seed=seed, kind=kind, near=near)
    return Table(triples=mixed, evidence=table.evidence, truth=order < len(table.triples))


def true_part(table: Table) -> Table:
    """Return the true triples of a table whose truth is known."""
    assert table.truth is not None
    return Table(triples=take(table.triples, table.truth), evidence=table.evidence)


def numbered(table: pl.DataFrame, words: Mapping[str, str], events: pl.DataFrame | None) -> Table:
    """Number a table of texts (head, relation, tail); `events` (user, item) are of items that are entities."""
    entities = pl.concat([table["head"], table["tail"]]).unique().sort()
    place = {name: index for index, name in enumerate(entities.to_list())}
    relations = table["relation"].unique().sort().to_list()
    number = {name: index for index, name in enumerate(relations)}
    users = Pairs()
    if events is not None:
        met = events.filter(pl.col("item").is_in(entities.implode()))
        who, user = np.unique(met["user"].to_numpy(), return_inverse=True)
        item = np.array([place[item] for item in met["item"]], dtype=np.int64)
        users = Pairs.of(item, user.astype(np.int64), len(who))
    head, tail = (np.array([place[name] for name in table[end]], dtype=np.int64) for end in ("head", "tail"))
    triples = Triples(
        head=head,
        relation=np.array([number[name] for name in table["relation"]], dtype=np.int64),
        tail=tail,
        confidence=np.ones(len(head), dtype=np.float32),
    )
    text = tuple(words.get(name, name) for name in place)
    return Table(
        triples=triples,
        evidence=Evidence(num_entities=len(place), relations=tuple(relations), text=text, users=users),
    )
