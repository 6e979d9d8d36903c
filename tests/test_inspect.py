"""`graphrec inspect`: the terminal, the page, and that a finished run stays as it is."""

import io
import json
from html.parser import HTMLParser
from pathlib import Path

import pytest
from rich.console import Console

from graphrec.cli.inspect import inspect_data
from graphrec.core import files
from graphrec.core.types import JSON
from graphrec.report import inspect_facts
from graphrec.report.charts.columns import column_figure
from graphrec.report.inspect_page import make_inspect
from graphrec.report.inspect_terminal import inspect_summary
from tests.test_cli import graphrec

CONFIG = """name: two
ingest:
  tables:
    interactions: [{path: events.csv, time: time}]
    triples: [{path: facts.csv}]
    link_by_id: true
"""


def rows(domain: str, first: int, num: int) -> str:
    return "".join(f"u{n % 9 + first},{domain}{n % 7},{domain},2024-01-{n % 28 + 1:02}\n" for n in range(num))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "events.csv").write_text("user,item,domain,time\n" + rows("a<b>", 0, 60) + rows("c", 4, 40))
    facts = "".join(f"c{n},made_by,m{n % 2}\n" for n in range(7)) + "c1,also_bought,c2\n"
    (tmp_path / "facts.csv").write_text(f"head,relation,tail\n{facts}")
    (tmp_path / "two.yaml").write_text(CONFIG)
    return tmp_path


@pytest.fixture
def summary(folder: Path, monkeypatch: pytest.MonkeyPatch) -> JSON:
    monkeypatch.chdir(folder)
    inspect_data(Path("two.yaml"), [], Path("run"))
    (artifact,) = (folder / "run" / "artifacts").glob("ingest-*")
    return files.read_json(artifact / "summary.json")


def printed(profile: JSON, width: int = 100) -> str:
    console = Console(width=width, file=io.StringIO())
    for part in inspect_summary(profile):
        console.print(part)
    return console.file.getvalue()


class Page(HTMLParser):
    """What is in a page: the tags that are open, those that were not closed, ids, and words."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.ids += [value for name, value in attrs if name == "id" and value]
        if tag not in ("meta", "rect", "path", "circle", "line", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("rect", "path", "circle", "line"):
            return
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data: str) -> None:
        self.words += data


def test_the_terminal_says_what_is_there_in_100_columns(summary: JSON) -> None:
    text = printed(summary["profile"])
    assert text.startswith("100 events of 13 users on 14 items in 2 domains, 8 triples about 9 entities.\n")
    assert "user_ids: shared: id u4 in `a<b>` and in `c` is one person; 5 ids are in two or more" in " ".join(
        text.split()
    )
    assert "! also_bought: made from behaviour" in text
    assert "2024-01-01 00:00" in text
    assert max(map(len, text.splitlines())) <= 100


def test_the_page_is_whole_and_has_no_script(summary: JSON) -> None:
    text = make_inspect(summary, "two")
    page = Page(text)
    assert (page.wrong, page.open) == ([], [])
    assert "script" not in page.tags
    assert "http" not in text.partition("</head>")[2]
    assert {"identity", "domains", "tails", "knowledge", "leaks", "read", "cost"} <= set(page.ids)
    # A name of the user's is text, never markup.
    assert "a<b>" in page.words
    assert page.tags.count("svg") == 4
    assert text == make_inspect(json.loads(json.dumps(summary)), "two")


def test_inspect_needs_no_target_and_leaves_a_run_as_it_is(folder: Path) -> None:
    first = graphrec("inspect", "two.yaml", "--out", "run", cwd=folder)
    assert first.returncode == 0, first.stderr
    assert first.stdout.splitlines()[-1] == "page: run/inspect.html"
    assert not (folder / "run" / "run.json").exists()
    again = graphrec("inspect", "two.yaml", "--out", "run", cwd=folder)
    assert "skipped, finished before" in again.stderr
    assert again.stdout == first.stdout


def test_triples_alone_can_be_inspected(folder: Path) -> None:
    (folder / "kg.yaml").write_text("name: kg\ningest: {tables: {triples: [{path: facts.csv}]}}\n")
    done = graphrec("inspect", "kg.yaml", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("No interactions; 8 triples about 9 entities.")
    assert (folder / "runs" / "kg" / "inspect.html").exists()


def test_a_mistake_is_one_line(folder: Path) -> None:
    done = graphrec("inspect", "two.yaml", "ingest.user_id=shared", cwd=folder)
    assert done.returncode == 2
    assert done.stderr.startswith("error: two.yaml: ingest.user_id: unknown key; did you mean: user_ids")


def test_leaks_and_doubts_are_cautions(summary: JSON) -> None:
    profile = summary["profile"]
    profile["leaks"]["domains"][0] |= {"given_away": 0.12, "visible": 0.09, "num_repeated": 3}
    profile["identity"][0]["warning"] = "shared, but"
    cautions = inspect_facts.cautions(profile)
    assert any(c.startswith("a<b>: 12.0 % of its test events are given away") and "(9.0 % by" in c for c in cautions)
    assert any(c.startswith("a<b>: 3 held-out events are on an item that the user has in another") for c in cautions)
    assert "user_ids: shared, but" in cautions


def test_many_domains_are_listed_by_what_they_share(summary: JSON) -> None:
    profile = summary["profile"]
    assert inspect_facts.pairs(profile, "users") == [["a<b>", "c", "5", "55.6 %"]]
    assert inspect_facts.pairs(profile, "items") == []


def test_a_column_figure_has_its_numbers_as_words_and_as_a_table() -> None:
    figure = column_figure("users", ["1", "2", "3\N{EN DASH}4"], [4, 0, 2], x="events")
    assert 'aria-label="users. 1: 4; 2: 0; 3\N{EN DASH}4: 2"' in figure.svg
    assert figure.rows == [["1", "4"], ["2", "0"], ["3\N{EN DASH}4", "2"]]
    assert str(figure.svg).count("<rect") == 3
