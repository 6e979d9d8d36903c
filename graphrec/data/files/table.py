"""One table of the user's own: its files, its columns under our names, its checks and the rows they name."""

import difflib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import polars as pl

from graphrec.core.errors import DataError
from graphrec.data.config import DomainTable, TableFile
from graphrec.data.files.checks import SHOWN, Check, Problems, count, named_row, quoted, report
from graphrec.data.files.scan import collect, expand, file_format, scan
from graphrec.data.files.textfile import lines, separator_of

ROW = "row"
"""Name of the column with row numbers, beside our names for the user's columns."""

_NUMBERS, _WORDS = ("weight", "confidence"), ("domain", "event", "split", "relation", "label")
_ROW, _PATH = "\0row", "\0path"  # no header has these names
_VALUE = re.compile(r"[-+]?\d+(\.\d+)?([eE][-+]?\d+)?|\d{4}-\d\d-\d\d.*")


@dataclass(frozen=True, kw_only=True)
class Table:
    """The files of one table and, after `take`, which of their columns are read under which name.

    `where` starts each message; `schema` is what the files have; `columns` maps our name -> theirs.
    """

    where: str
    options: TableFile
    paths: list[Path]
    form: str
    schema: Mapping[str, pl.DataType]
    columns: Mapping[str, str]

    def dtype(self, name: str) -> pl.DataType:
        """Return the type that our column `name` has in `view`."""
        dtype = self.schema[self.columns[name]]
        if isinstance(dtype, (pl.Categorical, pl.Enum)) or (self.form == "jsonl" and not isinstance(dtype, pl.List)):
            return pl.String()
        return pl.Int128() if isinstance(dtype, pl.Decimal) and not dtype.scale else dtype

    def view(self, paths: Sequence[Path] | None = None, *, whole: bool = False) -> pl.LazyFrame:
        """Return the rows lazily: `row`, each of our columns, and `domain` where the files or options name it.

        Categories are text here, and every column of JSON lines but lists, whatever the first lines
        look like. `whole`
        makes csv and tsv be read in all columns, which is what finds a line with too many fields, and
        adds `open_end`: whether the last one is empty.
        """
        chosen = self.paths if paths is None else list(paths)
        options = self.options
        if not isinstance(options, DomainTable) or "domain" in self.columns:
            return self._scan(chosen, whole)
        if options.as_domain is not None:
            return self._scan(chosen, whole).with_columns(domain=pl.lit(options.as_domain))
        # One scan of all files: a scan of each, joined, takes minutes with thousands of them.
        domains = {path.name: file_domain(path) for path in chosen}
        domain = pl.col(_PATH).str.replace(r"^.*[/\\]", "").replace_strict(domains, return_dtype=pl.String)
        return self._scan(chosen, whole, path=True).with_columns(domain=domain).drop(_PATH)

    def measure(
        self,
        checks: Sequence[Check],
        keep: pl.Expr,
        extra: Sequence[pl.Expr],
        problems: Problems,
        *,
        by: Sequence[str] = (),
    ) -> pl.DataFrame:
        """Run all checks on the rows that `keep` keeps, in one streaming pass, and note what they find.

        Returns num_rows, num_kept and the sums `extra`, one row for each value of the columns `by`, of
        which there should be few. Raises `DataError` when a file cannot be read to its end.
        """
        told = [check.within(keep) for check in checks]
        # A condition on no column is a constant, whose sum would be 1.
        num_kept = keep.sum() if keep.meta.root_names() else pl.len()
        sums = [pl.len().alias("num_rows"), num_kept.alias("num_kept"), *extra, *count(told)]
        sums += [pl.col("open_end").sum()] if self._delimited else []
        view = self.view(whole=True)
        measured = collect(view.group_by(by).agg(sums) if by else view.select(sums), self.paths, self.options)
        total = measured.select(pl.exclude(by).sum())
        report(
            told,
            total,
            self.where,
            problems,
            lambda bad, show: list(self._first_rows(bad, show)),
            lambda bad: int(collect(self.view().select(bad.sum()), self.paths, self.options).item()),
        )
        if self._delimited and total["open_end"][0]:
            self._note_short(problems)
        return measured

    def sample(self, keep: pl.Expr, number: int = 1000) -> pl.DataFrame:
        """Return the first rows that `keep` keeps, looked for among the first rows before all others."""
        # Looking for kept rows among the first alone spares a pass over files whose first rows are kept.
        for few in (self.view().head(100 * number), self.view()):
            found = collect(few.filter(keep).head(number), self.paths, self.options)
            if found.height:
                break
        return found

    @property
    def _delimited(self) -> bool:
        return self.form in ("csv", "tsv")

    def _scan(self, paths: Sequence[Path], whole: bool, *, path: bool = False) -> pl.LazyFrame:
        used = list(dict.fromkeys(self.columns.values())) or list(self.schema)[:1]
        text = [name for name in used if self.form == "jsonl" and not isinstance(self.schema[name], pl.List)]
        all_read, where = whole and self._delimited, _PATH if path else None
        frame = scan(paths, self.options, columns=None if all_read else used, text=text, row=_ROW, path=where)
        ours = [pl.col(theirs).cast(self.dtype(name)).alias(name) for name, theirs in self.columns.items()]
        ends = [(pl.col(list(self.schema)[-1]).fill_null("") == "").alias("open_end")] if all_read else []
        return frame.select(pl.col(_ROW).cast(pl.Int64).alias(ROW), *ours, *ends, *([_PATH] if path else []))

    def _first_rows(self, bad: pl.Expr, show: pl.Expr | None) -> Iterator[int | str]:
        """Yield the first rows that meet `bad`, file by file; parts are named where there are several."""
        left = SHOWN
        for path in self.paths:
            shown = [] if show is None else [show.alias("shown")]
            found = self.view([path]).filter(bad).select(ROW, *shown).head(left)
            for number, *value in collect(found, [path], self.options).iter_rows():
                part = path.name if len(self.paths) > 1 else ""
                yield named_row(self._line(path, number), *value, part=part)
                left -= 1
            if not left:
                return

    def _line(self, path: Path, number: int) -> int:
        """Count the blank lines in, which Polars leaves out of JSON lines."""
        if self.form != "jsonl":
            return number
        filled = (place for place, line in enumerate(lines(path), 1) if line.strip())
        return next(islice(filled, number - 1, None))

    def _note_short(self, problems: Problems) -> None:
        """Note lines with too few fields; a file with quotes is left alone, as its rows may span lines."""
        separator, names = separator_of(self.options, self.form), list(self.schema)
        for path in self.paths:
            raw = pl.scan_lines(path, glob=False).with_row_index("number", offset=1)
            fields = pl.col("line").str.count_matches(separator, literal=True) + 1
            short = pl.col("line").str.strip_chars().ne("") & (fields < len(names))
            quotes = raw.select(pl.col("line").str.contains('"').any())
            if self.options.quotes and collect(quotes, [path], self.options).item():
                continue
            found = collect(raw.filter(short).select("number", fields.alias("fields")).head(1), [path], self.options)
            for number, num_fields in found.iter_rows():
                problems.add(
                    str(path), f"line {number} has {num_fields} fields, expected {len(names)}", do="fill the line up"
                )


def open_table(options: TableFile, folder: Path, problems: Problems) -> Table | None:
    """Find and open the files of a table; note what hinders that and return None."""
    try:
        paths = expand(options.path, folder)
        schema = scan(paths, options).collect_schema()
        where = str(paths[0]) if len(paths) == 1 else str(folder / options.path)
        form = file_format(paths, options)
        if isinstance(options, DomainTable) and options.domain_by_file and options.as_domain is None:
            _check_names(where, paths, problems)
        return Table(where=where, options=options, paths=paths, form=form, schema=schema, columns={})
    except DataError as error:
        problems.catch(error)
        return None


def take(table: Table, columns: Mapping[str, str], problems: Problems) -> Table | None:
    """Name the columns that are read, ours -> theirs; note those that are absent or of no use and return None."""
    absent = [name for name in dict.fromkeys(columns.values()) if name not in table.schema]
    if absent and _is_headless(table):
        text = f"no columns {quoted(absent, 8)}; its first line, {quoted(list(table.schema), 8)}, looks like data"
        problems.add(table.where, text, do="if there is no header, name all columns with `columns`")
        return None
    for name in absent:
        problems.add(table.where, f"no column {name!r}", do=_instead(table, name))
    taken = replace(table, columns={name: theirs for name, theirs in columns.items() if theirs in table.schema})
    odd = [name for name in taken.columns if not _is_usable(name, taken.dtype(name))]
    for name in odd:
        wanted = "numbers" if name in _NUMBERS else "words or numbers"
        problems.add(table.where, f"column {columns[name]!r} is {taken.dtype(name)}; expected {wanted}")
    return None if absent or odd else taken


def file_domain(path: Path) -> str:
    """Return the domain that a file is named for: its name without suffixes."""
    bare = path.name.removesuffix(".gz").removesuffix(".zst")
    return bare.rpartition(".")[0] or bare


def _check_names(where: str, paths: Sequence[Path], problems: Problems) -> None:
    """Warn of several files that name one domain."""
    files: dict[str, list[str]] = {}
    above = os.path.commonpath([path.parent for path in paths])
    for path in paths:
        files.setdefault(file_domain(path), []).append(os.path.relpath(path, above))
    for domain, found in files.items():
        if len(found) > 1:
            problems.warn(where, f"{len(found):,} files are one domain, {domain!r}: {quoted(found, 3)}")


def _is_usable(name: str, dtype: pl.DataType) -> bool:
    """Whether a column may have this type; ids, times, texts and filters are looked at where they are used."""
    if name in _NUMBERS:
        return dtype.is_numeric() or dtype in (pl.String, pl.Null)
    odd = dtype.is_nested() or dtype in (pl.Binary, pl.Object, pl.Time, pl.Duration)
    return name not in _WORDS or not odd


def _is_headless(table: Table) -> bool:
    """Whether what was read as a header looks like values: one of its names is a number or a date."""
    named = table.form in ("csv", "tsv") and not table.options.columns
    return named and any(_VALUE.fullmatch(name) for name in table.schema)


def _instead(table: Table, name: str) -> str:
    """Say which columns there are, nearest first, and what may have gone wrong."""
    names = list(table.schema)
    # userId and User_ID are near, whatever the edit distance says.
    by_form = {_bare(other): other for other in reversed(names)}
    close = [by_form[key] for key in difflib.get_close_matches(_bare(name), by_form, n=3, cutoff=0.6)]
    hint = f"did you mean {quoted(close)}? " if close else ""
    domain = ", or set as_domain if all rows are of one domain" if name == "domain" else ""
    return f"{hint}it has {quoted(names, 12)}; name the right column in the configuration{domain}"


def _bare(name: str) -> str:
    """What stays of a column name when case, blanks and punctuation go."""
    return "".join(sign for sign in name.lower() if sign.isalnum())
