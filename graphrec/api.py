"""The one public import: open a finished run, and ask it.

    from graphrec.api import load

    run = load("runs/demo")
    run.recommend(users=["ana"], k=5)     # user, item, rank, score
    run.neighbours(["trowel"], k=3)       # item, neighbour, rank, score
    ids, vectors = run.vectors("item")    # row r of vectors belongs to ids[r]
    run.metrics()                         # every number of every stage

Ids are the user's own, in and out. Nothing here writes to the run.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from safetensors.numpy import load_file
from scipy.sparse import csr_array

from graphrec.core.artifacts import RunFolder
from graphrec.core.errors import DataError
from graphrec.core.ids import IdMap, normal_ids
from graphrec.core.records import Record, read_records
from graphrec.core.types import BoolArray, FloatArray, IntArray, Scorer
from graphrec.data.dataset import Dataset, load_dataset
from graphrec.encoders.pretrained import FULL, Pretrained
from graphrec.metrics.ranking import blocks, top_k
from graphrec.metrics.scorers import VectorScorer, hybrid_scorer

Ids = Sequence[str] | Sequence[int] | NDArray[np.int64] | pl.Series
"""External ids of one kind."""


def load(path: str | Path) -> "Run":
    """Open the run folder at `path`; raise `ArtifactError` when there is none."""
    return Run(RunFolder.open(Path(path)))


@dataclass(frozen=True)
class Run:
    """A finished run. Files are read when first needed and kept while the object lives."""

    folder: RunFolder

    @property
    def target(self) -> str:
        """Return the domain that the run was made for."""
        return str(self.folder.entry("target"))

    @property
    def domains(self) -> tuple[str, ...]:
        """Return the domains that `recommend` knows, the target first."""
        # A run for a domain that arrived later inherits vectors of domains whose items it does not hold.
        sources = (domain for domain in self._dataset.domains if domain in self._pretrained.domains)
        return (self.target, *(domain for domain in sources if domain != self.target))

    def recommend(self, users: Ids | None = None, k: int = 10, domain: str | None = None) -> pl.DataFrame:
        """Return the `k` best unseen items of `domain` (None: the target): user, item, rank, score.

        `users` of None means everyone with a vector. Users keep the order given, ranks start at 1,
        and someone who has seen all but `n` items gets `n` rows. Source domains are scored by the
        pretrained vectors. Raises `DataError` on an unknown domain or user, or `k` below 1.
        """
        if k < 1:
            raise DataError(f"k = {k}: expected at least 1")
        shelf = self._shelf(self.target if domain is None else domain)
        rows = (
            np.flatnonzero(shelf.ready)
            if users is None
            else self._rows(shelf, _ids("user", users, like=shelf.users.table["id"]))
        )
        scored = blocks(shelf.scorer, rows, shelf.seen)
        parts = (_ranked(shelf, rows[start : start + len(scores)], scores, k) for start, scores in scored)
        return pl.concat([_ranked(shelf, rows[:0], np.empty((0, len(shelf.items)), np.float32), k), *parts])

    def neighbours(self, items: Ids, k: int = 10) -> pl.DataFrame:
        """Return the `k` items of the target most like each of `items`: item, neighbour, rank, score (cosine).

        An item may have fewer. Raises `DataError` on an item that is not in the target domain, or
        when `k` is more than the run kept.
        """
        known = self.vectors("item")[0]
        wanted = _ids("item", items, like=known)
        unknown = IdMap.build("item", known).find(wanted) < 0
        if unknown.any():
            raise DataError(f"{_some(wanted, unknown)}: no such items in {self.target}; {_kind(known)}")
        table = self._table("neighbours")
        kept = int(table.select(pl.col("rank").max().fill_null(0)).item())
        if not 1 <= k <= max(kept, 1):
            raise DataError(f"k = {k}: this run kept {kept} neighbours of each item; ask for 1 to {kept}")
        order = wanted.to_frame("item").with_row_index("order")
        found = order.join(table.filter(pl.col("rank") <= k), on="item", how="inner")
        return found.sort("order", "rank").select("item", "neighbour", "rank", "score")

    def vectors(self, kind: Literal["item", "user"]) -> tuple[pl.Series, FloatArray]:
        """Return `(ids, vectors)` of the target's items or of the users; vectors are [len(ids), dim].

        They are the model as vectors alone; `recommend` asks the whole of it.
        """
        if kind not in ("item", "user"):
            raise DataError(f"vectors({kind!r}): expected 'item' or 'user'")
        return self._table(f"{kind}s")["id"], self._arrays[kind]

    def metrics(self) -> pl.DataFrame:
        """Return every record of every stage, one row each, in the order of the stages."""
        kinds = {str: pl.String, int: pl.Int64, float: pl.Float64}
        schema = {field.name: kinds[field.type] for field in dataclasses.fields(Record)}  # type: ignore[index]
        files = (self.folder.current(stage).file("metrics.json") for stage in self.folder.entry("stages"))
        return pl.DataFrame([vars(record) for file in files for record in read_records(file)], schema=schema)

    def _shelf(self, domain: str) -> "_Shelf":
        if domain == self.target:
            return self._target_shelf
        if domain not in self.domains:
            raise DataError(f"domain {domain!r}: not in this run; known domains: {', '.join(self.domains)}")
        return _source_shelf(self._dataset, self._pretrained, domain)

    def _rows(self, shelf: "_Shelf", users: pl.Series) -> IntArray:
        everyone = IdMap.load("user", self.folder.current("ingest").file("users.parquet"))
        unknown = _find(everyone, users, shelf.domain) < 0
        if unknown.any():
            raise DataError(
                f"{_some(users, unknown)}: users that this run does not know; {_kind(everyone.table['id'])}; "
                "for new users, run again on tables that hold their events"
            )
        rows = _find(shelf.users, users, shelf.domain)
        idle = (rows < 0) | ~shelf.ready[rows] if len(shelf.ready) else rows < 0
        if idle.any():
            raise DataError(
                f"{_some(users, idle)}: known users, but without events to recommend from in {shelf.domain}; "
                "leave them out or show them popular items"
            )
        return rows

    @cached_property
    def _target_shelf(self) -> "_Shelf":
        table, seen = self._table("users"), self._table("seen")
        scope = table["domain"] if "domain" in table.columns else pl.repeat("", table.height, eager=True)
        users = IdMap("user", pl.DataFrame({"scope": scope.cast(pl.String), "id": table["id"]}))
        return _Shelf(
            domain=self.target,
            users=users,
            ready=_in_scope(users, self.target),
            items=self._table("items")["id"],
            scorer=hybrid_scorer(load_file(self.folder.current("export").file("model.safetensors"))),
            seen=_seen(seen["user"].to_numpy(), seen["item"].to_numpy(), (table.height, len(self._arrays["item"]))),
        )

    @cached_property
    def _arrays(self) -> dict[str, FloatArray]:
        return load_file(self.folder.current("export").file("vectors.safetensors"))

    @cached_property
    def _pretrained(self) -> Pretrained:
        return Pretrained.load(self.folder.current("pretrain").path)

    @cached_property
    def _dataset(self) -> Dataset:
        return load_dataset(self.folder.current("ingest").path)

    def _table(self, name: str) -> pl.DataFrame:
        return pl.read_parquet(self.folder.current("export").file(f"{name}.parquet"))


@dataclass(frozen=True, kw_only=True)
class _Shelf:
    """One domain, ready to recommend from: arrays over all its users and items.

    `scorer` scores its items, `seen` is [num_users, num_items]; `ready` [num_users] marks those who can be served.
    """

    domain: str
    users: IdMap
    ready: BoolArray
    items: pl.Series
    scorer: Scorer
    seen: csr_array


def _source_shelf(dataset: Dataset, pretrained: Pretrained, domain: str) -> _Shelf:
    view, catalog = pretrained.user_views[FULL][domain], dataset.catalog[domain]
    history = (dataset.train + dataset.valid).of(dataset.domain_index(domain))
    return _Shelf(
        domain=domain,
        users=dataset.users,
        ready=view.any(axis=1) & _in_scope(dataset.users, domain),
        items=dataset.items.decode(catalog),
        scorer=VectorScorer(view, pretrained.item[FULL][domain]),
        seen=_seen(history.user, np.searchsorted(catalog, history.item), (len(dataset.users), len(catalog))),
    )


def _ranked(shelf: _Shelf, rows: IntArray, scores: FloatArray, k: int) -> pl.DataFrame:
    top = top_k(scores, min(k, scores.shape[1]))  # [len(rows), k], -1 where nothing unseen is left
    place, rank = np.nonzero(top >= 0)
    item = top[place, rank]
    return pl.DataFrame(
        {
            "user": shelf.users.decode(rows).gather(place),
            "item": shelf.items.gather(item),
            "rank": rank + 1,
            "score": scores[place, item],
        }
    )


def _seen(user: IntArray, item: IntArray, shape: tuple[int, int]) -> csr_array:
    return csr_array((np.ones(len(user), dtype=np.bool_), (user, item)), shape=shape)


def _scope(users: IdMap, domain: str) -> str:
    # Where domains have id spaces of their own, a user id means the user of the domain asked for.
    return domain if (users.table["scope"] == domain).any() else ""


def _in_scope(users: IdMap, domain: str) -> BoolArray:
    return (users.table["scope"] == _scope(users, domain)).to_numpy()


def _find(users: IdMap, ids: pl.Series, domain: str) -> IntArray:
    return users.find(ids, pl.repeat(_scope(users, domain), len(ids), eager=True))


def _ids(name: str, ids: Ids, *, like: pl.Series) -> pl.Series:
    try:
        given = normal_ids(pl.Series(name, ids) if len(ids) else like.clear()).unique(maintain_order=True)
    except TypeError:
        raise DataError(f"{name} ids: expected all integers or all text, not a mixture") from None
    # Ids read from a text file are text; where each spells exactly one of the run's ids, that one is meant.
    alike = given.cast(like.dtype, strict=False)
    return given if alike.cast(pl.String).ne_missing(given.cast(pl.String)).any() else alike.alias(name)


def _some(ids: pl.Series, mask: BoolArray) -> str:
    named = ids.filter(pl.Series(mask)).to_list()
    more = f" and {len(named) - 5} more" if len(named) > 5 else ""
    return ", ".join(map(repr, named[:5])) + more


def _kind(known: pl.Series) -> str:
    kind = "text" if known.dtype == pl.String else "integers"
    return f"its ids are {kind}, e.g. {', '.join(map(repr, known.head(3).to_list()))}"
