"""Item, triple and link tables of the `tables` reader: checked in one pass each, then collected."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from graphrec.data.config import DomainTable, ItemTable, LinkTable, TableFile, TripleTable
from graphrec.data.files.checks import Check, Problems, empty, filled, plural, positive
from graphrec.data.files.filters import describe_filters, filter_columns, kept
from graphrec.data.files.ids import Id, find_ids
from graphrec.data.files.scan import collect
from graphrec.data.files.table import Table, open_table, take
from graphrec.data.raw import TRIPLES, TableRead

_TRUE, _FALSE = ("1", "1.0", "true", "yes", "correct"), ("0", "0.0", "false", "no", "wrong", "incorrect")
_JOINED = "|"


@dataclass(frozen=True, kw_only=True)
class Facts:
    """A checked table of items, triples or links: its rows, and the type of its item ids where it has them."""

    table: Table
    rows: pl.DataFrame
    id: Id | None
    kind: type[pl.DataType]
    read: TableRead


def read_items(options: ItemTable, folder: Path, problems: Problems) -> Facts | None:
    """Check one item table and return item, domain and text; note what is wrong and return None."""
    texts = {f"text_{k}": name for k, name in enumerate(options.text)}
    table = _open(options, {"item": options.item, **texts}, folder, problems)
    if table is None:
        return None
    for name, theirs in texts.items():
        if not _has_words(table.dtype(name)):
            problems.add(table.where, f"column {theirs!r} is {table.dtype(name)}, no text")
            return None
    text = pl.concat_str([_words(table, name) for name in texts], separator=" ", ignore_nulls=True)
    read = _collect(table, "items", ["item"], {"text": text if texts else pl.lit("")}, [], problems)
    return None if read is None else _without_repeats(read, ["item", "domain"], "the first counts", problems)


def read_links(options: LinkTable, folder: Path, problems: Problems) -> Facts | None:
    """Check one link table and return item, domain and entity; note what is wrong and return None."""
    table = _open(options, {"item": options.item, "entity": options.entity}, folder, problems)
    if table is None:
        return None
    read = _collect(table, "links", ["item", "entity"], {"entity": pl.col("entity").cast(pl.String)}, [], problems)
    return None if read is None else _without_repeats(read, ["item", "domain", "entity"], "once is enough", problems)


def read_triples(options: TripleTable, folder: Path, problems: Problems) -> Facts | None:
    """Check one triple table and return its canonical columns; note what is wrong and return None."""
    # Our names are numbered, since several columns may make one entity.
    ends = {end: _several(getattr(options, end)) for end in ("head", "tail")}
    columns = {f"{end}_{k}": name for end, names in ends.items() for k, name in enumerate(names)}
    optional = {name: getattr(options, name) for name in ("confidence", "label")}
    if options.as_relation is None:
        optional["relation"] = options.relation
    named = columns | {name: theirs for name, theirs in optional.items() if theirs is not None}
    where = f"triples ({options.path})"
    if options.label is not None and options.as_label is not None:
        problems.add(where, "label and as_label exclude each other")
        return None
    table = _open(options, named, folder, problems)
    if table is None:
        return None
    checks = _triple_checks(table, options)
    read = _collect(table, "triples", list(columns), _triple_columns(options, ends, table), checks, problems)
    if read is None:
        return None
    repeats = read.rows.height - read.rows.select("head", "relation", "tail").unique().height
    if repeats:
        problems.warn(table.where, f"{plural(repeats, 'triple')} given before", do="the highest confidence counts")
    return read


def _open(options: TableFile, columns: dict[str, str], folder: Path, problems: Problems) -> Table | None:
    opened = open_table(options, folder, problems)
    if isinstance(options, DomainTable) and options.as_domain is not None and not options.as_domain.strip():
        problems.add(options.path, "as_domain is empty", do="name the domain")
        return None
    if isinstance(options, DomainTable) and options.as_domain is None and not options.domain_by_file:
        columns = columns | {"domain": options.domain}
    return take(opened, columns | filter_columns(options.keep), problems) if opened else None


def _collect(
    table: Table,
    kind: str,
    ids: Sequence[str],
    made: dict[str, pl.Expr],
    checks: Sequence[Check],
    problems: Problems,
) -> Facts | None:
    """Check the id columns, the domain and `checks`; return the kept rows with the columns `made`."""
    before = len(problems.errors)
    found = list(find_ids(table, ids, problems).values())
    keep, filtering = kept(table, table.options.keep, problems)
    if isinstance(table.options, TripleTable) and table.options.drop_relations and "relation" in table.columns:
        keep = keep & ~pl.col("relation").cast(pl.String).is_in(table.options.drop_relations).fill_null(False)
    domain = [filled("domain", "a domain", dtype=table.dtype("domain"))] if "domain" in table.columns else []
    if len(problems.errors) > before:
        return None
    every = [*filtering, *(check for spec in found for check in spec.checks()), *domain, *checks]
    measured = table.measure(every, keep, [c for spec in found for c in spec.count()], problems)
    _note_empty(table, measured, problems)
    if len(problems.errors) > before:
        return None
    item = found[0] if ids[0] == "item" else None
    base = [pl.col("item"), pl.col("domain").cast(pl.String)] if item is not None else []
    rows = collect(table.view().filter(keep).select(*base, **made), table.paths, table.options)
    num_rows = int(measured["num_rows"].sum())
    read = TableRead(kind=kind, path=table.where, num_rows=num_rows, num_kept=rows.height)
    return Facts(table=table, rows=rows, id=item, kind=item.kind(measured) if item else pl.String, read=read)


def _note_empty(table: Table, measured: pl.DataFrame, problems: Problems) -> None:
    if not int(measured["num_rows"].sum()):
        problems.warn(table.where, "the table has no rows")
    elif not int(measured["num_kept"].sum()):
        text = f"none of {plural(int(measured['num_rows'].sum()), 'row')} is left by the filters"
        problems.warn(table.where, text, do=describe_filters(table, table.options.keep))


def _has_words(dtype: pl.DataType) -> bool:
    """Whether values of this type are text, or become text, or are lists of what does."""
    single = dtype.inner if isinstance(dtype, pl.List) else dtype
    return not (single.is_nested() or single in (pl.Binary, pl.Object))


def _words(table: Table, name: str) -> pl.Expr:
    """The text of one column; lists of words are joined."""
    value, dtype = pl.col(name), table.dtype(name)
    if isinstance(dtype, pl.List):
        return value.cast(pl.List(pl.String)).list.join(" ", ignore_nulls=True)
    return value.cast(pl.String)


def _several(names: str | tuple[str, ...]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else names


def _triple_checks(table: Table, options: TripleTable) -> list[Check]:
    checks = []
    if options.as_relation is None:
        checks.append(filled("relation", "a relation", dtype=table.dtype("relation"), name=options.relation))
    if options.confidence is not None:
        checks.append(positive("confidence", most=1.0, name=options.confidence))
    if options.label is not None:
        unknown = Check(
            bad=~empty("label") & _label().is_null(),
            text=f"column {options.label!r}: {{}} with neither true nor false",
            do="expected 1 or 0, true or false, or nothing",
            show=pl.col("label"),
        )
        checks.append(unknown)
    return checks


def _triple_columns(options: TripleTable, ends: dict[str, tuple[str, ...]], table: Table) -> dict[str, pl.Expr]:
    joined = {
        end: pl.concat_str([pl.col(f"{end}_{k}").cast(pl.String) for k in range(len(names))], separator=_JOINED)
        for end, names in ends.items()
    }
    relation = pl.col("relation") if options.as_relation is None else pl.lit(options.as_relation)
    made = {
        **joined,
        "relation": relation,
        "confidence": pl.lit(1.0) if options.confidence is None else pl.col("confidence"),
        "must_link": pl.lit(options.heads == "items"),
        "label": pl.lit(options.as_label, dtype=pl.Boolean) if options.label is None else _label(),
        "source": pl.lit(Path(options.path).name),
    }
    return {name: made[name].cast(kind) for name, kind in TRIPLES.items()}


def _label() -> pl.Expr:
    said = pl.col("label").cast(pl.String).str.strip_chars().str.to_lowercase()
    answers = dict.fromkeys(_TRUE, True) | dict.fromkeys(_FALSE, False)
    return said.replace_strict(answers, default=None, return_dtype=pl.Boolean)


def _without_repeats(read: Facts, key: Sequence[str], which: str, problems: Problems) -> Facts:
    unique = read.rows.unique(key, keep="first", maintain_order=True)
    repeats = read.rows.height - unique.height
    if repeats:
        problems.warn(read.table.where, f"{plural(repeats, 'row')} with {' and '.join(key)} given before", do=which)
    return Facts(table=read.table, rows=unique, id=read.id, kind=read.kind, read=read.read)
