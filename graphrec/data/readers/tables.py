"""Reader of the user's own tables: Parquet, CSV, TSV and JSON-lines files with freely named columns."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import polars as pl

from graphrec.core.errors import DataError
from graphrec.data.config import TableFile, TablesConfig
from graphrec.data.files.checks import Problems
from graphrec.data.files.scan import expand, home
from graphrec.data.files.ties import check_alike, check_ties
from graphrec.data.raw import INTERACTIONS, ITEMS, LINKS, TRIPLES, RawTables
from graphrec.data.readers.tables_events import Events, read_events
from graphrec.data.readers.tables_facts import Facts, read_items, read_links, read_triples
from graphrec.data.readers.tables_opinions import entity_rows, read_entities, read_votes, vote_rows

_Options = TypeVar("_Options", bound=TableFile)
_Read = TypeVar("_Read")


def read(config: TablesConfig) -> RawTables:
    """Check every table that `config` names and return them, the interactions unread.

    Raises one `DataError` that lists everything that is wrong: file, column and first rows.
    """
    folder = home(config.folder)
    if not config.interactions and not config.triples:
        raise DataError("ingest.tables.interactions: no table given; a run needs interactions or triples")
    problems = Problems()
    events = _each(config.interactions, read_events, folder, problems)
    items = _each(config.items, read_items, folder, problems)
    triples = _each(config.triples, read_triples, folder, problems)
    links = _each(config.links, read_links, folder, problems)
    entities = _each(config.entities, read_entities, folder, problems)
    votes = _each(config.votes, read_votes, folder, problems)
    # Types and ties are looked at only once every table is sound by itself.
    problems.raise_any()
    user = _one_kind("user", events, [], problems)
    item = _one_kind("item", events, [*items, *links], problems)
    raw = RawTables(
        interactions=pl.concat(
            [
                pl.LazyFrame(schema=INTERACTIONS | {"user": user, "item": item}),
                *(e.rows.with_columns(pl.col("user").cast(user), pl.col("item").cast(item)) for e in events),
            ]
        ),
        items=_stack([i.rows.with_columns(pl.col("item").cast(item)) for i in items], ITEMS),
        triples=_stack([t.rows.select(*TRIPLES) for t in triples], TRIPLES),
        links=_stack([k.rows.with_columns(pl.col("item").cast(item)) for k in links], LINKS),
        link_by_id=config.link_by_id,
        timed=_timed(events, problems),
        about=config.about,
        entities=entity_rows(entities, triples, problems),
        votes=vote_rows(votes, triples, problems),
        tables=(*(e.read for e in events), *(f.read for f in (*items, *triples, *links, *entities, *votes))),
    )
    check_ties(raw, problems)
    check_alike([name for e in events for name in e.domains], problems)
    problems.raise_any()
    return replace(raw, warnings=tuple(dict.fromkeys(problems.warnings)))


def files(config: TablesConfig) -> list[Path]:
    """Return the files that `config` names, in order, for fingerprints; raise `DataError` on a missing one."""
    folder = home(config.folder)
    facts: tuple[Sequence[TableFile], ...] = (config.items, config.triples, config.links, config.entities, config.votes)
    groups: tuple[Sequence[TableFile], ...] = (config.interactions, *facts)
    return [path for group in groups for table in group for path in expand(table.path, folder)]


def _each(
    tables: Sequence[_Options],
    reader: Callable[[_Options, Path, Problems], _Read | None],
    folder: Path,
    problems: Problems,
) -> list[_Read]:
    """Read tables of one kind; those that are wrong are noted and left out."""
    found = []
    for options in tables:
        try:
            found.append(reader(options, folder, problems))
        except DataError as error:
            problems.catch(error)
    return [read for read in found if read is not None]


def _one_kind(column: str, events: Sequence[Events], facts: Sequence[Facts], problems: Problems) -> type[pl.DataType]:
    """Return Int64 if that is what the ids are in every table that has rows, else String."""
    kinds = [(e.kinds[column], e.table.where) for e in events]
    kinds += [(f.kind, f.table.where) for f in facts if f.rows.height]
    if len({kind for kind, _ in kinds}) <= 1:
        return kinds[0][0] if kinds else pl.String
    number, text = (next(where for kind, where in kinds if kind == wanted) for wanted in (pl.Int64, pl.String))
    problems.warn(number, f"{column} ids are numbers here, but text in {text}; all are taken as text")
    return pl.String


def _timed(events: Sequence[Events], problems: Problems) -> bool:
    real = [e.real for e in events]
    if any(real) and not all(real):
        other = next(e for e in events if not e.real)
        problems.warn(other.table.where, "positions here, but real times in other tables", do="there is no common time")
    return bool(real) and all(real)


def _stack(frames: Sequence[pl.DataFrame], schema: Mapping[str, type[pl.DataType]]) -> pl.DataFrame:
    return pl.concat(frames) if frames else pl.DataFrame(schema=schema)
