"""The clean, internally numbered data set that ingest makes and every later stage reads.

Test events are not in it: they lie in a file of their own that only the evaluation opens, so no
stage can choose anything by them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from graphrec.core import files
from graphrec.core.errors import ArtifactError, DataError
from graphrec.core.ids import IdMap
from graphrec.core.types import BoolArray, FloatArray, IntArray

TRAIN, VALID, TEST = "train", "valid", "test"


@dataclass(frozen=True, kw_only=True)
class Events:
    """Interactions of one split: equal-length arrays, sorted by (domain, user, position in time).

    `weight` says how much an event counts; where none is given, each counts 1.
    """

    user: IntArray
    item: IntArray
    domain: IntArray
    weight: FloatArray = field(default_factory=lambda: np.empty(0, dtype=np.float32))

    def __post_init__(self) -> None:
        if len(self.weight) != len(self.user):
            assert not len(self.weight), "one weight per event"
            object.__setattr__(self, "weight", np.ones(len(self.user), dtype=np.float32))

    def __len__(self) -> int:
        return len(self.user)

    def where(self, mask: BoolArray) -> "Events":
        """Return the events that `mask` keeps."""
        return Events(**{name: column[mask] for name, column in vars(self).items()})

    def of(self, domain: int) -> "Events":
        """Return the events of one domain, given its position in `Dataset.domains`."""
        return self.where(self.domain == domain)

    def __add__(self, other: "Events") -> "Events":
        return Events(**{name: np.concatenate([column, getattr(other, name)]) for name, column in vars(self).items()})


@dataclass(frozen=True, kw_only=True)
class Triples:
    """Knowledge-graph triples in entity and relation ids, with the weight each came with (1 where none)."""

    head: IntArray
    relation: IntArray
    tail: IntArray
    confidence: FloatArray

    def __len__(self) -> int:
        return len(self.head)


def _none() -> IntArray:
    return np.empty(0, dtype=np.int64)


@dataclass(frozen=True, kw_only=True)
class Votes:
    """Judgements on triples, as equal-length arrays: no pair of triple and voter twice, sorted by both.

    `vote[k]` is the probability of being true that `voter[k]`, a position in `voters`, gives the row
    `triple[k]` of the triples; `num[k]` says how many of its samples said so.
    """

    triple: IntArray = field(default_factory=_none)
    voter: IntArray = field(default_factory=_none)
    vote: FloatArray = field(default_factory=lambda: np.empty(0, dtype=np.float32))
    num: IntArray = field(default_factory=_none)
    voters: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.triple)

    def moved(self, place: IntArray) -> "Votes":
        """Return the votes after row `r` of the triples has become row `place[r]`; -1 drops its votes."""
        triple = place[self.triple]
        order = np.lexsort((self.voter, triple))
        order = order[triple[order] >= 0]
        columns = {name: getattr(self, name)[order] for name in ("voter", "vote", "num")}
        return Votes(triple=triple[order], voters=self.voters, **columns)


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """All domains, numbered. `catalog[d]` lists the items of domain `d`, ascending.

    `link_item[k]` is the item that the entity `link_entity[k]` stands for; `text[i]` describes
    item `i` (empty where nothing is known), `entity_text[e]` entity `e`, where there are such texts
    at all; entity `type_entity[k]` has the type `types[type_index[k]]`.
    """

    domains: tuple[str, ...]
    relations: tuple[str, ...]
    users: IdMap
    items: IdMap
    entities: IdMap
    catalog: Mapping[str, IntArray]
    train: Events
    valid: Events
    triples: Triples
    link_item: IntArray
    link_entity: IntArray
    text: tuple[str, ...]
    entity_text: tuple[str, ...] = ()
    type_entity: IntArray = field(default_factory=_none)
    type_index: IntArray = field(default_factory=_none)
    types: tuple[str, ...] = ()
    votes: Votes = field(default_factory=Votes)

    def domain_index(self, domain: str) -> int:
        """Return the position of `domain`; raise `DataError` listing the known ones when there is none."""
        if domain not in self.domains:
            raise DataError(f"domain {domain!r}: not in the data; known domains: {', '.join(self.domains)}")
        return self.domains.index(domain)


@dataclass(frozen=True, kw_only=True)
class DomainSplit:
    """One domain as a ranking problem. `item` counts positions in the domain's catalogue.

    `train_*`, `valid_*` and `test_*` are equal-length pairs; `test_*` is empty unless the test
    split was asked for explicitly.
    """

    domain: str
    num_users: int
    catalog: IntArray
    train_user: IntArray
    train_item: IntArray
    valid_user: IntArray
    valid_item: IntArray
    test_user: IntArray
    test_item: IntArray


def domain_split(dataset: Dataset, domain: str, test: Events | None = None) -> DomainSplit:
    """Cut one domain out of `dataset`; pass `test` (from `load_test`) only to evaluate at the end."""
    index, catalog = dataset.domain_index(domain), dataset.catalog[domain]
    empty = np.empty(0, dtype=np.int64)
    parts = {TRAIN: dataset.train.of(index), VALID: dataset.valid.of(index)}
    parts[TEST] = Events(user=empty, item=empty, domain=empty) if test is None else test.of(index)
    columns = {f"{split}_user": events.user for split, events in parts.items()}
    columns |= {f"{split}_item": np.searchsorted(catalog, events.item) for split, events in parts.items()}
    return DomainSplit(domain=domain, num_users=len(dataset.users), catalog=catalog, **columns)


def save_dataset(dataset: Dataset, test: Events, folder: Path) -> None:
    """Write `dataset` as parquet and JSON files into `folder`, with `test` in a file of its own."""
    for name in ("users", "items", "entities"):
        getattr(dataset, name).save(folder / f"{name}.parquet")
    for split, events in ((TRAIN, dataset.train), (VALID, dataset.valid), (TEST, test)):
        # Half the bytes and, by lz4, half the time: these are the only files that grow with the events.
        narrow = pl.DataFrame(vars(events)).cast({"user": pl.Int32, "item": pl.Int32, "domain": pl.UInt16})
        narrow.write_parquet(folder / f"{split}.parquet", compression="lz4")
    pl.DataFrame(vars(dataset.triples)).write_parquet(folder / "triples.parquet")
    links = {"item": dataset.link_item, "entity": dataset.link_entity}
    pl.DataFrame(links).write_parquet(folder / "links.parquet")
    types = {"entity": dataset.type_entity, "type": dataset.type_index}
    pl.DataFrame(types).write_parquet(folder / "types.parquet")
    votes = {name: column for name, column in vars(dataset.votes).items() if name != "voters"}
    pl.DataFrame(votes).write_parquet(folder / "votes.parquet")
    for name in ("text", "entity_text"):
        words = pl.DataFrame({"text": getattr(dataset, name)}, schema={"text": pl.String})
        words.write_parquet(folder / f"{name}.parquet")
    schema = {"domain": pl.String, "item": pl.Int64}
    listed = [pl.DataFrame({"item": c}).select(domain=pl.lit(d), item="item") for d, c in dataset.catalog.items()]
    pl.concat([pl.DataFrame(schema=schema), *listed]).write_parquet(folder / "catalog.parquet")
    names = {name: getattr(dataset, name) for name in ("domains", "relations", "types")}
    files.write_json(folder / "dataset.json", {**names, "voters": dataset.votes.voters})


def load_dataset(folder: Path) -> Dataset:
    """Read what `save_dataset` wrote, without the test events."""
    names = files.read_json(folder / "dataset.json")
    catalog = _read(folder / "catalog.parquet")
    triples, links, types, votes = (
        _columns(folder / f"{name}.parquet") for name in ("triples", "links", "types", "votes")
    )
    maps = {kind: IdMap.load(one, folder / f"{kind}.parquet") for kind, one in _KINDS.items()}
    return Dataset(
        domains=tuple(names["domains"]),
        relations=tuple(names["relations"]),
        **maps,
        catalog={d: catalog.filter(pl.col("domain") == d)["item"].to_numpy() for d in names["domains"]},
        train=_load_events(folder, TRAIN),
        valid=_load_events(folder, VALID),
        triples=Triples(**triples),
        link_item=links["item"],
        link_entity=links["entity"],
        text=tuple(_read(folder / "text.parquet")["text"]),
        entity_text=tuple(_read(folder / "entity_text.parquet")["text"]),
        type_entity=types["entity"],
        type_index=types["type"],
        types=tuple(names["types"]),
        votes=Votes(voters=tuple(names["voters"]), **votes),
    )


def load_test(folder: Path) -> Events:
    """Read the test events. Only an evaluation that chooses nothing by them may call this."""
    return _load_events(folder, TEST)


def _load_events(folder: Path, split: str) -> Events:
    columns = _columns(folder / f"{split}.parquet")
    return Events(**{name: column if name == "weight" else column.astype(np.int64) for name, column in columns.items()})


_KINDS = {"users": "user", "items": "item", "entities": "entity"}


def _read(path: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise ArtifactError(f"{path}: cannot be read ({error}); delete its folder and run again") from None


def _columns(path: Path) -> dict[str, Any]:
    return {name: column.to_numpy(writable=True) for name, column in _read(path).to_dict().items()}
