"""The graph as arrays, and the two files it is kept in."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from graphrec.core import files
from graphrec.core.errors import ArtifactError
from graphrec.core.types import BoolArray, FloatArray, IntArray

EdgeType = tuple[str, str, str]
"""(kind of the source node, name, kind of the target node); kinds are user, item, entity."""

_NAME = "graph"
_NO_TEXT = np.empty((0, 0), dtype=np.float32)


@dataclass(frozen=True, kw_only=True)
class EventEdges:
    """Edges user -> item of one domain: each user's in time order, with `valid` false for train events.

    `weight` says how much an event counts; where none is given, each counts 1.
    """

    user: IntArray
    item: IntArray
    valid: BoolArray
    weight: FloatArray = field(default_factory=lambda: np.empty(0, dtype=np.float32))

    def __post_init__(self) -> None:
        if len(self.weight) != len(self.user):
            assert not len(self.weight), "one weight per event"
            object.__setattr__(self, "weight", np.broadcast_to(np.float32(1), len(self.user)))

    def where(self, mask: BoolArray) -> "EventEdges":
        """Return the events that `mask` keeps."""
        return EventEdges(user=self.user[mask], item=self.item[mask], valid=self.valid[mask], weight=self.weight[mask])

    def __len__(self) -> int:
        return len(self.user)


@dataclass(frozen=True, kw_only=True)
class Edges:
    """Weighted edges of one type, no pair twice, sorted by (source, target)."""

    source: IntArray
    target: IntArray
    weight: FloatArray

    def __len__(self) -> int:
        return len(self.source)


@dataclass(frozen=True, kw_only=True)
class MultiDomainGraph:
    """All domains and the knowledge that ties them. Node numbers are the ids of the data set.

    `events[domain]` are edges (user, domain, item) without test events; `knowledge` has the edges
    (item | entity, relation, item | entity), whose weight is the trust in the triple.
    `catalog[domain]` lists the domain's items, ascending. `item_text` [num_items, k] has vectors of
    their texts, zero where there is none; k is 0 where texts were not read.
    """

    num_users: int
    num_items: int
    num_entities: int
    catalog: Mapping[str, IntArray]
    events: Mapping[str, EventEdges]
    knowledge: Mapping[EdgeType, Edges]
    item_text: FloatArray = field(default_factory=lambda: _NO_TEXT)

    def __post_init__(self) -> None:
        if len(self.item_text) != self.num_items:
            assert not self.item_text.size, "one vector per item"
            object.__setattr__(self, "item_text", np.empty((self.num_items, 0), dtype=np.float32))

    @property
    def domains(self) -> tuple[str, ...]:
        """Return the names of the domains."""
        return tuple(self.catalog)

    def num_nodes(self) -> dict[str, int]:
        """Return the number of nodes of each kind."""
        return {"user": self.num_users, "item": self.num_items, "entity": self.num_entities}

    def save(self, folder: Path) -> None:
        """Write `graph.safetensors` and `graph.json` into `folder`."""
        save_file(dict(self._arrays()), folder / f"{_NAME}.safetensors")
        about = {"nodes": self.num_nodes(), "domains": self.domains, "knowledge": [list(t) for t in self.knowledge]}
        files.write_json(folder / f"{_NAME}.json", about)

    @classmethod
    def load(cls, folder: Path) -> "MultiDomainGraph":
        """Read what `save` wrote; raise `ArtifactError` when an array is missing."""
        about, arrays = files.read_json(folder / f"{_NAME}.json"), load_file(folder / f"{_NAME}.safetensors")
        domains, types = about["domains"], [(t[0], t[1], t[2]) for t in about["knowledge"]]
        try:
            return cls(
                **{f"num_{kind}s" if kind != "entity" else "num_entities": n for kind, n in about["nodes"].items()},
                catalog={d: arrays[f"catalog/{d}"] for d in domains},
                events={
                    d: EventEdges(**_part(arrays, f"events/{d}", ("user", "item", "valid", "weight"))) for d in domains
                },
                knowledge={t: Edges(**_part(arrays, _key(t), ("source", "target", "weight"))) for t in types},
                item_text=arrays.get("item_text", _NO_TEXT),
            )
        except KeyError as error:
            raise ArtifactError(f"{folder}: {_NAME}.safetensors lacks {error}; run merge again") from None

    def _arrays(self) -> Iterator[tuple[str, Any]]:
        if self.item_text.size:
            yield "item_text", np.ascontiguousarray(self.item_text)
        for domain in self.domains:
            yield f"catalog/{domain}", np.ascontiguousarray(self.catalog[domain])
        named = {f"events/{d}": edges for d, edges in self.events.items()}
        named |= {_key(t): edges for t, edges in self.knowledge.items()}  # type: ignore[misc]
        for name, edges in named.items():
            for part, array in vars(edges).items():
                yield f"{name}/{part}", np.ascontiguousarray(array)


def _key(edge_type: EdgeType) -> str:
    return "knowledge/" + "/".join(edge_type)


def _part(arrays: Mapping[str, Any], name: str, fields: tuple[str, ...]) -> dict[str, Any]:
    return {field: arrays[f"{name}/{field}"] for field in fields}
