"""What a run ends with on the terminal: the table of test scores, what was chosen, what ships, and the verdict."""

from rich import box
from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from graphrec.core.artifacts import RunFolder
from graphrec.report import formats
from graphrec.report.facts import Facts
from graphrec.report.scores import Scores
from graphrec.report.sections.headline import headline

COLUMNS = (
    ("HR@10", "hr", 10, "all"),
    ("NDCG@10", "ndcg", 10, "all"),
    ("Recall@20", "recall", 20, "all"),
    ("NDCG@20", "ndcg", 20, "all"),
    ("coverage@10", "coverage", 10, "all"),
    ("tail NDCG@10", "ndcg", 10, "tail"),
)
"""Heading, metric, k and popularity group of each column."""


def run_summary(run: RunFolder) -> Group:
    """Return the table of `summary_table`, then why these sources, what ships, and how it stands to the baselines."""
    facts = Facts.read(run)
    head = headline(facts, Scores.read(facts))
    ships = head["shipped"]
    lines = {
        "sources": facts.summary("select").get("reason", ""),
        "ships": f"{formats.model(str(ships['name']))}. {ships['reason']}" if ships["reason"] else "",
        "test": " ".join(filter(None, (head["words"], head.get("advice")))),
    }
    return Group(summary_table(run), *(_line(name, words) for name, words in lines.items() if words))


def _line(name: str, words: str) -> Padding:
    return Padding(Text.assemble((f"{name}: ", "bold"), words), (0, 0, 0, 2))


def summary_table(run: RunFolder) -> Table:
    """Return ours and the baselines on the target's test events; a star marks the best of each column."""
    facts = Facts.read(run)
    scores = Scores.read(facts)
    table = Table(
        title=Text(f"{facts.target}: test, full ranking"),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    table.add_column("model", no_wrap=True)
    for heading, *_ in COLUMNS:
        table.add_column(heading, justify="right")
    for model in scores.models:
        cells = [
            _cell(scores.get(model, metric, k, group), leads=scores.leads(model, metric, k, group))
            for _, metric, k, group in COLUMNS
        ]
        table.add_row(Text(formats.model(model), style="cyan" if model == scores.ours else ""), *cells)
    return table


def _cell(value: float | None, *, leads: bool) -> Text:
    if value is None:
        return Text("\N{EN DASH}")
    return Text(f"{formats.score(value)}*", style="bold green") if leads else Text(f"{formats.score(value)} ")
