"""Reader of the text files of KGAT, KGIN and their successors: a line is a row, everything is a number.

train.txt, test.txt   user item item ...     a user without items is legal
kg_final.txt          head relation tail     item 17 of the events is entity 17 of the triples
*_list.txt            org_id remap_id ...    optional: what a number was before it was a number
"""

from pathlib import Path

import polars as pl

from graphrec.data.config import KgatConfig
from graphrec.data.files.checks import Check, Problems, plural, quoted, run_checks
from graphrec.data.files.scan import expand, home
from graphrec.data.raw import ITEMS, RawTables, TableRead
from graphrec.data.readers.columns import as_interactions, as_links, as_triples
from graphrec.data.readers.lines import find_file, read_lines

# 007 is no number of these files: it would lose its zeros. Eighteen digits always fit 64 bits.
_NUMBER = r"(?:0|[1-9]\d{0,17})"
_EVENTS = rf"^{_NUMBER}(?:\s+{_NUMBER})*$"
_TRIPLE = rf"^{_NUMBER}\s+{_NUMBER}\s+{_NUMBER}$"
_TRIPLE_COLUMNS = ("head", "relation", "tail")
_COLUMNS = {"users": ("user",), "items": ("item",), "entities": ("head", "tail", "entity"), "relations": ("relation",)}
"""Option that gives a list -> columns whose numbers it names."""


def files(config: KgatConfig) -> list[Path]:
    """Return the files that `config` names, in order; raise `DataError` on a missing one."""
    names = [config.train, config.test, config.triples, *_lists(config).values()]
    return [path for name in names if name for path in expand(name, home(config.folder))]


def read(config: KgatConfig) -> RawTables:
    """Read events and triples; raise one `DataError` naming file, line and what was expected there."""
    problems, tables = Problems(), list[TableRead]()
    train = _lines(config, config.train, "interactions", problems, tables)
    parts = [_events(train, "train" if config.test else None)]
    if config.test:
        parts.append(_events(_lines(config, config.test, "interactions", problems, tables), "test"))
    triples = _triples(_lines(config, config.triples, "triples", problems, tables))
    events = pl.concat(parts)
    frames = {"events": events, "triples": triples, "links": _links(events, triples)}
    for option, name in _lists(config).items():
        names = _names(config, name, problems)
        frames = {key: _named(frame, _COLUMNS[option], names, name, problems) for key, frame in frames.items()}
    problems.raise_any()
    domain = pl.lit(config.domain).alias("domain")
    return RawTables(
        interactions=as_interactions(frames["events"].with_columns(domain)),
        items=pl.DataFrame(schema=ITEMS),
        triples=as_triples(frames["triples"], config.triples or ""),
        links=as_links(frames["links"].with_columns(domain)),
        link_by_id=False,
        timed=False,
        about=config.about,
        tables=tuple(tables),
        warnings=tuple(problems.warnings),
    )


def _lists(config: KgatConfig) -> dict[str, str]:
    given = {option: getattr(config, option) for option in _COLUMNS}
    return {option: name for option, name in given.items() if name}


def _lines(
    config: KgatConfig, name: str | None, kind: str, problems: Problems, tables: list[TableRead]
) -> pl.DataFrame:
    """Return the lines of one file that have the form of their `kind`; the others are problems."""
    path = find_file(config.folder, name, problems) if name else None
    if path is None:
        return pl.DataFrame(schema={"row": pl.UInt32, "line": pl.String})
    found = read_lines(path, problems)
    form, shape = (_TRIPLE, "head relation tail") if kind == "triples" else (_EVENTS, "user item item ...")
    fits = pl.col("line").str.contains(form)
    check = Check(
        bad=~fits,
        text=f"{{}} not of the form `{shape}`",
        do="write whole numbers of up to 18 digits without leading zeros, blanks between them",
        show=pl.col("line").str.slice(0, 60),
    )
    run_checks(found.lazy(), [check], str(path), problems)
    kept = found.filter(fits)
    # A line of events holds as many of them as it has gaps.
    rows = kept.height if kind == "triples" else int(kept["line"].str.count_matches(r"\s+").sum())
    tables.append(TableRead(kind=kind, path=str(path), num_rows=rows, num_kept=rows))
    return kept


def _events(found: pl.DataFrame, split: str | None) -> pl.DataFrame:
    """One row for each item of a line: user, item, split."""
    numbers = found.select(_numbers())
    pairs = numbers.select(user=pl.col("line").list.first(), item=pl.col("line").list.slice(1))
    return pairs.explode("item").drop_nulls("item").with_columns(split=pl.lit(split, dtype=pl.String))


def _triples(found: pl.DataFrame) -> pl.DataFrame:
    """One row for each line: head, relation, tail."""
    numbers = found.select(_numbers())
    return numbers.select(pl.col("line").list.get(k).alias(name) for k, name in enumerate(_TRIPLE_COLUMNS))


def _numbers() -> pl.Expr:
    """The numbers of a line that is known to hold nothing else."""
    line = pl.col("line")
    # Splitting at one blank is far quicker than a pattern, and nearly all lines are written so.
    plain = pl.when(line.str.contains(r"[^0-9 ]|  ")).then(line.str.replace_all(r"\s+", " ")).otherwise(line)
    return plain.str.split(" ").cast(pl.List(pl.Int64))


def _links(events: pl.DataFrame, triples: pl.DataFrame) -> pl.DataFrame:
    """Items that stand in a triple: item, entity, two names of one number."""
    ends = pl.concat([triples["head"], triples["tail"]]).unique()
    items = events["item"].unique().sort()
    return pl.DataFrame({"item": items, "entity": items}).filter(pl.col("item").is_in(ends.implode()))


def _names(config: KgatConfig, name: str, problems: Problems) -> pl.DataFrame:
    """Names of numbers: number, name. The first line says which field is which."""
    none = pl.DataFrame(schema={"number": pl.Int64, "name": pl.String})
    path = find_file(config.folder, name, problems)
    found = read_lines(path, problems) if path is not None else none
    if path is None or not found.height:
        return none
    header = found["line"][0].split()
    if not {"org_id", "remap_id"} <= set(header):
        problems.add(str(path), f"line 1 is {found['line'][0][:60]!r}", do="write a header with org_id and remap_id")
        return none
    fields = pl.col("line").str.extract_all(r"\S+")
    number = fields.list.get(header.index("remap_id"), null_on_oob=True)
    whole = (fields.list.len() == len(header)) & number.str.contains(f"^{_NUMBER}$")
    shown = pl.col("line").str.slice(0, 60)
    checks = [
        Check(bad=~whole, text=f"{{}} without {len(header)} fields, remap_id a whole number", show=shown),
        Check(bad=whole & number.is_duplicated(), text="{} with a remap_id that stands twice", show=shown),
    ]
    run_checks(found[1:].lazy(), checks, str(path), problems)
    rows = found[1:].filter(whole)
    return rows.select(number=number.cast(pl.Int64), name=fields.list.get(header.index("org_id"))).unique(
        "number", keep="first", maintain_order=True
    )


def _named(
    frame: pl.DataFrame, columns: tuple[str, ...], names: pl.DataFrame, where: str, problems: Problems
) -> pl.DataFrame:
    """Put names for the numbers of `columns`; a number without a name is a problem."""
    for column in [name for name in columns if name in frame.columns]:
        joined = frame.join(names, left_on=column, right_on="number", how="left", maintain_order="left")["name"]
        unknown = frame[column].filter(joined.is_null()).unique().sort()
        if len(unknown):
            text = f"no line for {plural(len(unknown), f'{column} number')} ({quoted(unknown.head(5).to_list())})"
            problems.add(where, text, do="add them, or leave the list out")
        frame = frame.with_columns(joined.alias(column))
    return frame
