"""The summary of the data on the terminal: compact, readable at 100 columns."""

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from graphrec.core.types import JSON
from graphrec.report import formats, inspect_facts

_RELATIONS, _SIZES = 8, ("num_users", "num_items", "num_read", "num_events", "num_train", "num_valid", "num_test")


def inspect_summary(profile: JSON) -> Iterator[RenderableType]:
    """Yield what `graphrec inspect` prints of a profile, part by part."""
    yield Text(inspect_facts.heading(profile), style="bold")
    if len(profile["domains"]) > 1:
        yield from (Text(row["text"], style="cyan") for row in profile["identity"])
    yield from (Text(f"! {caution}", style="yellow") for caution in inspect_facts.cautions(profile))
    yield from (Text(f"  {note}", style="dim") for note in profile["notes"])
    if profile["domains"]:
        sizes = [[d["domain"], *(formats.count(d[size]) for size in _SIZES)] for d in profile["domains"]]
        yield _table(("domain", *(formats.label(size) for size in _SIZES)), sizes)
        yield _table(inspect_facts.TAILS, inspect_facts.tails(profile))
        yield from _times(profile)
    for kind in ("users", "items"):
        found = inspect_facts.pairs(profile, kind)
        if found:
            yield _table((f"shared {kind}", "", "number", "of the smaller"), found, left=2)
    yield from _knowledge(profile)
    yield from _pairs("dropped", inspect_facts.dropped(profile))
    yield _table(("planned", "minutes", "GiB"), inspect_facts.costs(profile))


def _times(profile: JSON) -> Iterator[Table]:
    rows = [[d["domain"], d["times"]["first"], d["times"]["last"]] for d in profile["domains"] if d["times"]]
    if rows:
        yield _table(("domain", "first", "last"), rows)


def _knowledge(profile: JSON) -> Iterator[RenderableType]:
    rows = inspect_facts.relations(profile, _RELATIONS)
    if not rows:
        return
    yield _table(("relation", "triples", "heads", "tails", ""), rows)
    rest = len(profile["relations"]) - len(rows)
    if rest > 0:
        yield Text(f"  and {rest} more relations", style="dim")
    yield from _pairs("entities that tie items of", inspect_facts.bridges(profile))


def _pairs(title: str, pairs: Sequence[tuple[str, str]]) -> Iterator[Text]:
    if pairs:
        yield Text(f"{title}: {'; '.join(f'{name} {value}' for name, value in pairs)}")


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> Table:
    """Return a table whose first `left` columns are names, the others numbers."""
    table = Table(box=None, header_style="bold", padding=(0, 1, 0, 0), pad_edge=False)
    for place, column in enumerate(columns):
        name = place < left
        table.add_column(
            column, justify="left" if name else "right", overflow="ellipsis", max_width=28 if name else None
        )
    for row in rows:
        table.add_row(*map(Text, row))
    return table
