"""Interaction tables of the `tables` reader: one streaming pass of checks each, then lazy rows in canonical columns."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from graphrec.data.config import InteractionTable
from graphrec.data.files.checks import Check, Problems, empty, filled, plural, positive, quoted
from graphrec.data.files.filters import describe_filters, filter_columns, kept
from graphrec.data.files.ids import Id, find_ids
from graphrec.data.files.table import ROW, Table, file_domain, open_table, take
from graphrec.data.files.times import Clock, clock, decides, is_undecided
from graphrec.data.raw import INTERACTIONS, TableRead
from graphrec.data.readers.columns import warn_of_times

_PARTS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("valid", "val", "validation", "dev"), "valid"),
    **dict.fromkeys(("test", "testing"), "test"),
}
"""What a split column may say, in any letter case."""

_LEAST, _MOST = 1e-37, 1e38
_SIZES = "a weight has 32 bits: keep it between 1e-37 and 1e38"


@dataclass(frozen=True, kw_only=True)
class Events:
    """A checked interaction table: lazy canonical rows, types of its ids, whether its times are real, its domains."""

    table: Table
    rows: pl.LazyFrame
    kinds: dict[str, type[pl.DataType]]
    real: bool
    domains: list[str]
    read: TableRead


def read_events(options: InteractionTable, folder: Path, problems: Problems) -> Events | None:
    """Check one interaction table and return its rows, unread; note all that is wrong and return None."""
    before = len(problems.errors)
    _check_options(options, f"interactions ({options.path})", problems)
    opened = open_table(options, folder, problems)
    table = take(opened, _columns(options), problems) if opened else None
    if table is None:
        return None
    ids = find_ids(table, ("user", "item"), problems)
    keep, checks = kept(table, options.keep, problems)
    if len(problems.errors) > before:
        return None
    if options.time is None:
        used = set(table.columns.values())
        warn_of_times([name for name in table.schema if name not in used], table.where, problems)
    return _Reading(options, table, ids, keep, checks, problems).events()


class _Reading:
    """One table on its way from columns to events; each step adds its expressions and checks."""

    def __init__(
        self,
        options: InteractionTable,
        table: Table,
        ids: dict[str, Id],
        keep: pl.Expr,
        checks: list[Check],
        problems: Problems,
    ) -> None:
        self.options, self.table, self.ids, self.problems = options, table, ids, problems
        self.before, self.kinds = len(problems.errors), options.event_weights
        self.filtered, self.keep, self.checks = keep, keep, [*checks, *(c for i in ids.values() for c in i.checks())]

    def events(self) -> Events | None:
        """Add all columns, measure once, and return the events unless something is wrong."""
        domain = self._domain()
        weight = self._weight()
        split = self._split()
        timing = self._timing()
        if len(self.problems.errors) > self.before:
            return None
        extra = [c for i in self.ids.values() for c in i.count()]
        extra += [(pl.col("event").cast(pl.String) == e).sum().alias(f"kind_{k}") for k, e in enumerate(self.kinds)]
        # Domains are few: grouping by them costs no more than the scan, and tells which are empty.
        measured = self.table.measure(self.checks, self.keep, extra, self.problems, by=["domain"])
        self._check_left(measured)
        if len(self.problems.errors) > self.before:
            return None
        order = (pl.col(ROW) - 1) if timing is None else timing.order
        made = {"domain": domain, "order": order, "weight": weight, "split": split}
        columns = [expr.cast(INTERACTIONS[name]).alias(name) for name, expr in made.items()]
        kinds = {name: spec.kind(measured) for name, spec in self.ids.items()}
        return Events(
            table=self.table,
            rows=self.table.view().filter(self.keep).select("user", "item", *columns),
            kinds=kinds,
            real=timing is not None and timing.real,
            domains=measured.filter(pl.col("num_kept") > 0)["domain"].cast(pl.String).to_list(),
            read=TableRead(
                kind="interactions",
                path=self.table.where,
                num_rows=int(measured["num_rows"].sum()),
                num_kept=int(measured["num_kept"].sum()),
            ),
        )

    def _domain(self) -> pl.Expr:
        domain = pl.col("domain").cast(pl.String)
        if "domain" in self.table.columns:
            self.checks.append(filled("domain", "a domain", dtype=self.table.dtype("domain"), name=self.options.domain))
        if self.options.domains:
            # A row without a domain stays, to be told of.
            self.keep = self.keep & (domain.is_in(self.options.domains) | empty("domain"))
        return domain

    def _weight(self) -> pl.Expr:
        weight = pl.lit(1.0)
        if self.options.weight is not None:
            self.checks.append(positive("weight", name=self.options.weight))
            weight = pl.col("weight").cast(pl.Float64, strict=False)
        if self.kinds:
            event = pl.col("event").cast(pl.String)
            self.keep = self.keep & event.is_in(list(self.kinds)).fill_null(False)
            weight = weight * event.replace_strict(self.kinds, default=None, return_dtype=pl.Float64)
        if self.kinds and self.options.weight is not None:
            self.checks.append(self._product(weight))
        return weight

    def _product(self, weight: pl.Expr) -> Check:
        """Both factors may fit the 32 bits of a weight, and their product not."""
        column, final = pl.col("weight").cast(pl.Float32, strict=False), weight.cast(pl.Float32)
        sound = column.is_finite() & (column > 0)
        return Check(
            bad=(sound & ~(final.is_finite() & (final > 0))).fill_null(False),
            text=f"column {self.options.weight!r}: {{}} whose weight times event_weights is too large or too small",
            do=_SIZES,
            show=pl.concat_str(pl.col("weight").cast(pl.String), pl.lit(" of "), pl.col("event").cast(pl.String)),
        )

    def _split(self) -> pl.Expr:
        if self.options.split is None:
            return pl.lit(self.options.as_split, dtype=pl.String)
        said = pl.col("split").cast(pl.String).str.strip_chars().str.to_lowercase()
        split = said.replace_strict(_PARTS, default=None, return_dtype=pl.String)
        check = Check(
            bad=~empty("split", pl.String()) & split.is_null(),
            text=f"column {self.options.split!r}: {{}} with an unknown part",
            do="expected train, valid or test",
            show=pl.col("split"),
        )
        self.checks.append(check)
        return split

    def _timing(self) -> Clock | None:
        name = self.options.time
        if name is None:
            return None
        dtype = self.table.dtype("time")
        first = self.table.sample(self.keep).get_column("time")
        if is_undecided(first):
            first = first.append(self.table.sample(self.keep & decides("time").fill_null(False), 1)["time"])
        if is_undecided(first):
            unclear = f"column {name!r}: {quoted([first[0]])} may be day/month or month/day, and no row tells which"
            self.problems.add(self.table.where, unclear, do="write dates as 2024-01-31")
            return None
        timing = clock("time", dtype, first)
        if timing is None:
            shown = self.table.sample(self.keep, 1).get_column("time").to_list()
            like = f", like {quoted(shown)}" if shown else ""
            self.problems.add(
                self.table.where,
                f"column {name!r} holds no times ({dtype}{like})",
                do="expected dates such as 2024-01-31, date-times, seconds since 1970, or positions",
            )
            return None
        self.checks += timing.checks("time", dtype, name)
        for option, text in (("since", self.options.since), ("until", self.options.until)):
            self._bound(option, text, timing)
        return timing

    def _bound(self, option: str, text: str | float | None, timing: Clock) -> None:
        bound = None if text is None else timing.bound(text)
        if bound is not None:
            met = timing.order >= bound if option == "since" else timing.order < bound
            # A row without a time stays, to be told of.
            self.keep = self.keep & met.fill_null(True)
        elif text is not None:
            kind = "a date such as 2024-01-31" if timing.real else "a number, as the column holds"
            self.problems.add(self.table.where, f"{option}: {text!r} is not {kind}")

    def _check_left(self, measured: pl.DataFrame) -> None:
        """Note a table or domain that has no rows, from the start or after filters."""
        where, options = self.table.where, self.options
        num_rows = int(measured["num_rows"].sum())
        if not num_rows:
            self.problems.add(where, "the table has no rows")
            return
        left = dict(measured.select(pl.col("domain").cast(pl.String), "num_kept").drop_nulls().iter_rows())
        every = sorted(name for name in left if name)
        unknown = [name for name in options.domains if name not in every]
        if unknown:
            close = [c for name in unknown for c in difflib.get_close_matches(name, every, n=2)]
            hint = f"did you mean {quoted(close)}? " if close else ""
            self.problems.add(
                where, f"domains: no rows of {quoted(unknown)}", do=f"{hint}the table has {quoted(every, 10)}"
            )
        elif not int(measured["num_kept"].sum()):
            used = [name for name in ("keep", "domains", "event_weights", "since", "until") if getattr(options, name)]
            text = f"none of {plural(num_rows, 'row')} is left by {', '.join(used)}"
            self.problems.add(where, text, do=self._hint())
        else:
            self._check_domains_left([name for name in every if not left[name]])
            self._check_absent(measured, every)

    def _check_absent(self, measured: pl.DataFrame, every: Sequence[str]) -> None:
        """Warn of files without rows that should be domains, and of kinds of event that never occur."""
        if self.options.domain_by_file:
            empty_files = [path.name for path in self.table.paths if file_domain(path) not in every]
            if empty_files:
                text = f"no rows, so no domain, in {quoted(empty_files, 3)}"
                self.problems.warn(self.table.where, text)
        never = [kind for k, kind in enumerate(self.kinds) if not int(measured[f"kind_{k}"].sum())]
        if never:
            self.problems.warn(
                self.table.where, f"event_weights: no rows of {quoted(never)}", do=f"the first rows have {self._seen()}"
            )

    def _check_domains_left(self, lost: Sequence[str]) -> None:
        asked = [name for name in lost if name in self.options.domains]
        if asked:
            self.problems.add(self.table.where, f"domain {quoted(asked)}: the filters leave no rows", do=self._hint())
        elif lost and not self.options.domains:
            self.problems.warn(self.table.where, f"domain {quoted(lost)}: the filters leave no rows")

    def _hint(self) -> str:
        seen = describe_filters(self.table, self.options.keep)
        if not self.options.event_weights:
            return seen
        return "; ".join(filter(None, [seen, f"{self.options.event} has {self._seen()}"]))

    def _seen(self) -> str:
        """Return the kinds of event in the first rows."""
        return quoted(self.table.sample(self.filtered)["event"].unique(maintain_order=True).to_list(), 10)


def _columns(options: InteractionTable) -> dict[str, str]:
    """Our names of the columns that are read -> the user's."""
    columns: dict[str, str | None] = {"user": options.user, "item": options.item}
    if options.as_domain is None and not options.domain_by_file:
        columns["domain"] = options.domain
    columns |= {name: getattr(options, name) for name in ("time", "weight", "split")}
    if options.event_weights:
        columns["event"] = options.event
    named = {name: theirs for name, theirs in columns.items() if theirs is not None}
    return named | filter_columns(options.keep)


def _check_options(options: InteractionTable, where: str, problems: Problems) -> None:
    """Note options that contradict each other."""
    if options.as_domain is not None and options.domain_by_file:
        problems.add(where, "as_domain and domain_by_file exclude each other")
    if options.user == options.item:
        problems.add(where, f"user and item are both column {options.user!r}", do="name two columns")
    if options.as_domain is not None and not options.as_domain.strip():
        problems.add(where, "as_domain is empty", do="name the domain")
    if options.as_domain is not None and options.domains:
        problems.add(where, "domains chooses among several, but as_domain says that there is one")
    if options.split is not None and options.as_split is not None:
        problems.add(where, "split and as_split exclude each other")
    if options.event_weights and options.event is None:
        problems.add(where, "event_weights needs event", do="name the column with the kind of event")
    # Harmless, but surely not what was meant.
    if options.event is not None and not options.event_weights:
        problems.warn(where, "event does nothing without event_weights")
    wrong = sorted(kind for kind, weight in options.event_weights.items() if not weight > 0)
    extreme = sorted(kind for kind, weight in options.event_weights.items() if 0 < weight < _LEAST or weight > _MOST)
    if wrong:
        problems.add(where, f"event_weights: {quoted(wrong)} must be above 0", do="leave a kind out to drop its rows")
    if extreme:
        problems.add(where, f"event_weights: {quoted(extreme)} is too large or too small", do=_SIZES)
    if options.time is None and (options.since is not None or options.until is not None):
        problems.add(where, "since and until need time", do="name the column with the time")
