"""Entity and vote tables of the `tables` reader, and what the tables of triples tell of both."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from graphrec.data.config import EntityTable, TripleTable, TypeInId, VoteTable
from graphrec.data.files.checks import Check, Problems, empty, filled, plural, quoted
from graphrec.data.files.ties import likely_cause
from graphrec.data.raw import ENTITIES, VOTES
from graphrec.data.readers.tables_facts import (
    FALSE,
    TRUE,
    VOTER,
    Facts,
    collect_facts,
    has_words,
    joined,
    open_columns,
    several,
    words,
)

_TRIPLE = {"head": pl.String, "relation": pl.String, "tail": pl.String}


def read_entities(options: EntityTable, folder: Path, problems: Problems) -> Facts | None:
    """Check one entity table and return entity, text and type; note what is wrong and return None."""
    texts = {f"text_{k}": name for k, name in enumerate(options.text)}
    named = texts if options.type is None else texts | {"type": options.type}
    table = open_columns(options, {"entity": options.entity, **named}, folder, problems)
    if table is None:
        return None
    odd = [name for name in named if not has_words(table.dtype(name))]
    for name in odd:
        problems.add(table.where, f"column {named[name]!r} is {table.dtype(name)}, no text")
    if odd:
        return None
    text = pl.concat_str([words(table, name) for name in texts], separator=" ", ignore_nulls=True)
    listed = "type" in named and isinstance(table.dtype("type"), pl.List)
    made = {
        "entity": pl.col("entity").cast(pl.String),
        "text": text if texts else pl.lit(None, dtype=pl.String),
        "type": pl.lit(None, dtype=pl.String) if "type" not in named else _types(listed),
    }
    read = collect_facts(table, "entities", ["entity"], made, [], problems)
    return (
        None if read is None else read.replaced(read.rows.explode("type", empty_as_null=True) if listed else read.rows)
    )


def read_votes(options: VoteTable, folder: Path, problems: Problems) -> Facts | None:
    """Check one vote table and return its rows that do not abstain: a triple or its id, voter and vote."""
    ends = {} if options.id is not None else {end: several(getattr(options, end)) for end in ("head", "tail")}
    ids = {f"{end}_{k}": name for end, names in ends.items() for k, name in enumerate(names)}
    ids |= {"id": options.id} if options.id is not None else {"relation": options.relation}
    voters = {f"voter_{k}": name for k, name in enumerate(several(options.voter))}
    table = open_columns(options, {**ids, **voters, "vote": options.vote}, folder, problems)
    if table is None:
        return None
    made = {end: joined(end, names) for end, names in ends.items()}
    made |= {"id": pl.col("id")} if options.id is not None else {"relation": pl.col("relation")}
    made |= {"voter": pl.concat_str([pl.col(name).cast(pl.String) for name in voters], separator=VOTER)}
    checks = [filled(name, "a voter", dtype=table.dtype(name), name=theirs) for name, theirs in voters.items()]
    made = {name: value.cast(pl.String) for name, value in made.items()} | {"vote": _vote()}
    read = collect_facts(table, "votes", list(ids), made, [*checks, _readable(options.vote)], problems)
    return None if read is None else read.replaced(read.rows.drop_nulls("vote"))


def entity_rows(tables: Sequence[Facts], triples: Sequence[Facts], problems: Problems) -> pl.DataFrame:
    """Return what tables of entities and the ids in tables of triples tell: the columns of `ENTITIES`."""
    rows = pl.concat([pl.DataFrame(schema=ENTITIES), *(table.rows for table in tables)])
    known = _ends(triples if rows.height else [])
    if rows.height and not rows["entity"].is_in(known.implode()).any():
        mine = rows["entity"].unique(maintain_order=True)
        text = f"none of {plural(len(mine), 'entity id')} is in the triples"
        problems.add("entities", text, do=likely_cause(mine, known))
    for table in triples:
        options = table.table.options
        if isinstance(options, TripleTable) and options.type_in_id is not None:
            rows = pl.concat([rows, _in_ids(_ends([table]), options.type_in_id, table.table.where, problems)])
    return rows


def vote_rows(tables: Sequence[Facts], triples: Sequence[Facts], problems: Problems) -> pl.DataFrame:
    """Return what tables of votes and of triples say, on triples that there are: the columns of `VOTES`.

    Votes on other triples are counted in a warning; an id of two triples is an error.
    """
    said = [t.rows.with_columns(vote=pl.lit(1.0)) for t in triples if "voter" in t.rows.columns]
    by_id = _by_id(triples, problems)
    # Where nobody votes, a large table of triples is not gone through.
    known = pl.concat([pl.DataFrame(schema=_TRIPLE), *(t.rows.select(*_TRIPLE) for t in triples if tables)]).unique()
    for table in tables:
        met = table.rows.join(by_id, on="id") if "id" in table.rows.columns else table.rows
        met = met.join(known, on=list(_TRIPLE), how="semi", maintain_order="left")
        if met.height < table.rows.height:
            lost = plural(table.rows.height - met.height, "vote")
            problems.warn(table.table.where, f"{lost} on what is in no table of triples", do="they are left out")
        said.append(met.with_columns(num=pl.lit(1)))
    typed = [frame.select(pl.col(name).cast(kind) for name, kind in VOTES.items()) for frame in said]
    return pl.concat([pl.DataFrame(schema=VOTES), *typed])


def _ends(triples: Sequence[Facts]) -> pl.Series:
    ends = [t.rows[end] for t in triples for end in ("head", "tail")]
    return pl.concat([pl.Series(dtype=pl.String), *ends]).unique(maintain_order=True)


def _types(listed: bool) -> pl.Expr:
    """Return types as text, or as lists of text; what is empty is no type."""
    if listed:
        return pl.col("type").cast(pl.List(pl.String))
    return pl.when(~empty("type")).then(pl.col("type").cast(pl.String))


def _vote() -> pl.Expr:
    said = pl.col("vote").cast(pl.String).str.strip_chars().str.to_lowercase()
    answers = dict.fromkeys((*TRUE, "t"), 1.0) | dict.fromkeys((*FALSE, "f"), 0.0)
    word = said.replace_strict(answers, default=None, return_dtype=pl.Float32)
    return word.fill_null(said.cast(pl.Float32, strict=False))


def _readable(name: str) -> Check:
    return Check(
        bad=~empty("vote") & ~_vote().is_between(0, 1).fill_null(False),
        text=f"column {name!r}: {{}} with neither true nor false",
        do="expected 1 or 0, true or false, a probability from 0 to 1, or nothing",
        show=pl.col("vote"),
    )


def _by_id(triples: Sequence[Facts], problems: Problems) -> pl.DataFrame:
    """Return the triple of each id that a table of triples names."""
    schema = {"id": pl.String, **_TRIPLE}
    named = [t.rows.select(*schema) for t in triples if "id" in t.rows.columns]
    rows = pl.concat([pl.DataFrame(schema=schema), *named]).unique(maintain_order=True)
    twice = rows.filter(pl.col("id").is_duplicated())["id"].unique(maintain_order=True)
    if len(twice):
        problems.add("triples", f"ids of two different triples: {quoted(twice.to_list())}", do="an id names one triple")
    return rows


def _in_ids(ids: pl.Series, how: TypeInId, where: str, problems: Problems) -> pl.DataFrame:
    """Take ids apart: the type in its part, the name in the last; ids with no part after the type tell nothing."""
    parts = pl.col("parts")
    cut = pl.DataFrame({"entity": ids, "parts": ids.str.split(how.separator)}).filter(parts.list.len() > how.part + 1)
    if not cut.height:
        problems.warn(where, f"type_in_id: no id has a part after part {how.part}, cut by {how.separator!r}")
    name = parts.list.last().str.replace_all("_", " ", literal=True)
    return cut.select("entity", text=name, type=parts.list.get(how.part))
