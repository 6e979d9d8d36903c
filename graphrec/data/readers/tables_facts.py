"""Item, triple and link tables of the `tables` reader: checked in one pass each, then collected."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from graphrec.data.config import DomainTable, ItemTable, LinkTable, TableFile, TripleTable
from graphrec.data.files.checks import Check, Problems, empty, filled, plural, positive
from graphrec.data.files.filters import describe_filters, filter_columns, kept
from graphrec.data.files.ids import Id, find_ids
from graphrec.data.files.scan import collect
from graphrec.data.files.table import Table, open_table, take
from graphrec.data.raw import TRIPLES, TableRead

TRUE, FALSE = ("1", "1.0", "true", "yes", "correct"), ("0", "0.0", "false", "no", "wrong", "incorrect")
"""How a column says true and false, in small letters."""

JOINED, VOTER = "|", "/"
"""What stands between the columns that make one entity, and between those that make one voter."""

_MOST_VOTES = 1_000_001


@dataclass(frozen=True, kw_only=True)
class Facts:
    """A checked table of anything but events: its rows, and the type of its item ids where it has them.

    Rows of triples may have, beside those of `TRIPLES`, the columns id (String), voter (String) and num (Int64).
    """

    table: Table
    rows: pl.DataFrame
    id: Id | None
    kind: type[pl.DataType]
    read: TableRead

    def replaced(self, rows: pl.DataFrame) -> "Facts":
        """Return the same table with other rows."""
        return replace(self, rows=rows)


def read_items(options: ItemTable, folder: Path, problems: Problems) -> Facts | None:
    """Check one item table and return item, domain and text; note what is wrong and return None."""
    texts = {f"text_{k}": name for k, name in enumerate(options.text)}
    table = open_columns(options, {"item": options.item, **texts}, folder, problems)
    if table is None:
        return None
    for name, theirs in texts.items():
        if not has_words(table.dtype(name)):
            problems.add(table.where, f"column {theirs!r} is {table.dtype(name)}, no text")
            return None
    text = pl.concat_str([words(table, name) for name in texts], separator=" ", ignore_nulls=True)
    read = collect_facts(table, "items", ["item"], {"text": text if texts else pl.lit("")}, [], problems)
    return None if read is None else _without_repeats(read, ["item", "domain"], "the first counts", problems)


def read_links(options: LinkTable, folder: Path, problems: Problems) -> Facts | None:
    """Check one link table and return item, domain and entity; note what is wrong and return None."""
    table = open_columns(options, {"item": options.item, "entity": options.entity}, folder, problems)
    if table is None:
        return None
    read = collect_facts(table, "links", ["item", "entity"], {"entity": pl.col("entity").cast(pl.String)}, [], problems)
    return None if read is None else _without_repeats(read, ["item", "domain", "entity"], "once is enough", problems)


def read_triples(options: TripleTable, folder: Path, problems: Problems) -> Facts | None:
    """Check one triple table and return its canonical columns; note what is wrong and return None."""
    # Our names are numbered, since several columns may make one entity.
    ends = {end: several(getattr(options, end)) for end in ("head", "tail")}
    columns = {f"{end}_{k}": name for end, names in ends.items() for k, name in enumerate(names)}
    optional = {name: getattr(options, name) for name in ("confidence", "label", "id", "model", "prompt", "votes")}
    if options.as_relation is None:
        optional["relation"] = options.relation
    named = columns | {name: theirs for name, theirs in optional.items() if theirs is not None}
    where = f"triples ({options.path})"
    both = {"label": (options.label, options.as_label), "model": (options.model, options.as_model)}
    doubled = [name for name, given in both.items() if None not in given]
    for name in doubled:
        problems.add(where, f"{name} and as_{name} exclude each other")
    if doubled:
        return None
    table = open_columns(options, named, folder, problems)
    if table is None:
        return None
    checks, ids = _triple_checks(table, options), [*columns, *(["id"] if options.id is not None else [])]
    made = _triple_columns(options, ends) | _said_columns(options)
    read = collect_facts(table, "triples", ids, made, checks, problems)
    if read is None:
        return None
    repeats = read.rows.height - read.rows.select("head", "relation", "tail").unique().height
    # Where each row is somebody's vote, being given twice is what counts.
    if repeats and "voter" not in read.rows.columns:
        problems.warn(table.where, f"{plural(repeats, 'triple')} given before", do="the highest confidence counts")
    return read


def open_columns(options: TableFile, columns: dict[str, str], folder: Path, problems: Problems) -> Table | None:
    """Open a table and take `columns` (ours -> theirs), those of filters and the domain; note what is wrong."""
    opened = open_table(options, folder, problems)
    if isinstance(options, DomainTable) and options.as_domain is not None and not options.as_domain.strip():
        problems.add(options.path, "as_domain is empty", do="name the domain")
        return None
    if isinstance(options, DomainTable) and options.as_domain is None and not options.domain_by_file:
        columns = columns | {"domain": options.domain}
    return take(opened, columns | filter_columns(options.keep), problems) if opened else None


def collect_facts(
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


def joined(name: str, names: Sequence[str]) -> pl.Expr:
    """Return one id made of the columns `name_0`, `name_1`, ...; it is null where one of them is."""
    return pl.concat_str([pl.col(f"{name}_{k}").cast(pl.String) for k in range(len(names))], separator=JOINED)


def has_words(dtype: pl.DataType) -> bool:
    """Return whether values of this type are text, or become text, or are lists of what does."""
    single = dtype.inner if isinstance(dtype, pl.List) else dtype
    return not (single.is_nested() or single in (pl.Binary, pl.Object))


def words(table: Table, name: str) -> pl.Expr:
    """Return the text of one column; lists of words are joined."""
    value, dtype = pl.col(name), table.dtype(name)
    if isinstance(dtype, pl.List):
        return value.cast(pl.List(pl.String)).list.join(" ", ignore_nulls=True)
    return value.cast(pl.String)


def several(names: str | tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of columns where one may be given bare."""
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
    said = {"model": options.model, "prompt": options.prompt}
    named = {name: theirs for name, theirs in said.items() if theirs is not None}
    checks += [filled(name, f"a {name}", dtype=table.dtype(name), name=theirs) for name, theirs in named.items()]
    if options.votes is not None:
        checks.append(_whole(options.votes))
    return checks


def _whole(name: str) -> Check:
    number = pl.col("votes").cast(pl.Float64, strict=False)
    return Check(
        bad=~((number >= 1) & (number < _MOST_VOTES) & (number == number.floor())),
        text=f"column {name!r}: {{}} without a whole number of votes from 1 to {_MOST_VOTES - 1:,}",
        do="mend them, or leave the rows out with `keep`",
        show=pl.col("votes"),
    )


def _triple_columns(options: TripleTable, ends: dict[str, tuple[str, ...]]) -> dict[str, pl.Expr]:
    relation = pl.col("relation") if options.as_relation is None else pl.lit(options.as_relation)
    made = {
        **{end: joined(end, names) for end, names in ends.items()},
        "relation": relation,
        "confidence": pl.lit(1.0) if options.confidence is None else pl.col("confidence"),
        "must_link": pl.lit(options.heads == "items"),
        "label": pl.lit(options.as_label, dtype=pl.Boolean) if options.label is None else _label(),
        "source": pl.lit(Path(options.path).name),
    }
    return {name: made[name].cast(kind) for name, kind in TRIPLES.items()}


def _said_columns(options: TripleTable) -> dict[str, pl.Expr]:
    """Return who said each triple and how often, where the table tells, and the ids that votes go by."""
    made = {} if options.id is None else {"id": pl.col("id").cast(pl.String)}
    if options.model or options.as_model or options.prompt or options.votes:
        same = pl.lit(options.as_model or Path(options.path).name)
        model = pl.col("model").cast(pl.String) if options.model else same
        prompt = [pl.col("prompt").cast(pl.String)] if options.prompt else []
        made["voter"] = pl.concat_str([model, *prompt], separator=VOTER)
        number = pl.col("votes").cast(pl.Float64) if options.votes else pl.lit(1)
        made["num"] = number.cast(pl.Int64)
    return made


def _label() -> pl.Expr:
    said = pl.col("label").cast(pl.String).str.strip_chars().str.to_lowercase()
    answers = dict.fromkeys(TRUE, True) | dict.fromkeys(FALSE, False)
    return said.replace_strict(answers, default=None, return_dtype=pl.Boolean)


def _without_repeats(read: Facts, key: Sequence[str], which: str, problems: Problems) -> Facts:
    unique = read.rows.unique(key, keep="first", maintain_order=True)
    repeats = read.rows.height - unique.height
    if repeats:
        problems.warn(read.table.where, f"{plural(repeats, 'row')} with {' and '.join(key)} given before", do=which)
    return read.replaced(unique)
