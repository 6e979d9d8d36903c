"""The report: whole, escaped, offline, accessible, deterministic; honest when ours loses; tolerant of gaps."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from rich.console import Console

from graphrec.core.artifacts import RunFolder
from graphrec.core.types import JSON
from graphrec.report import formats, summary_table, write_report
from graphrec.report.charts.bars import Bar, bar_figure
from graphrec.report.charts.lines import Line, line_figure
from tests.fake_run import EVIL, make_run
from tests.fake_summaries import MODELS, SUMMARIES, scores

VOID = {"meta", "link", "br", "img", "path", "rect", "circle", "hr", "input"}


class Page(HTMLParser):
    """Checks that tags nest, and collects tags, text and ids."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        self.text += data if "style" not in self.open else ""

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


def write(path: Path, changes: dict[str, JSON] | None = None, models: dict[str, float] = MODELS) -> tuple[str, Page]:
    summaries = {stage: {**summary, **(changes or {}).get(stage, {})} for stage, summary in SUMMARIES.items()}
    run = make_run(path / "run", summaries, {"evaluate": scores(models)})
    write_report(run, path / "report.html")
    html = (path / "report.html").read_text(encoding="utf-8")
    return html, Page(html)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Page]:
    return write(tmp_path_factory.mktemp("report"))


def words(page: Page) -> str:
    return " ".join(page.text.split())


def test_every_section_is_there_and_nothing_is_missing(whole: tuple[str, Page]) -> None:
    html, page = whole
    assert [a["id"] for a in page.all("section")] == [
        "pipeline",
        "data",
        "denoise",
        "worth",
        "learning",
        "subsets",
        "comparison",
        "longtail",
        "origin",
        "reproduce",
    ]
    assert formats.ABSENT not in words(page)
    assert re.findall(r'class="missing">([^<]*)<', html) == [
        "Not measured. `graphrec worth RUN` trains with and without the triples and fills this section.",
        "No test event falls into: cold.",
    ]


def test_the_page_needs_no_network_and_runs_no_script(whole: tuple[str, Page]) -> None:
    html, page = whole
    assert "default-src 'none'" in html
    assert not {"script", "link", "img", "iframe", "object", "embed"} & {tag for tag, _ in page.tags}
    assert "http://" not in html
    assert "https://" not in html
    assert "url(" not in html
    assert "@import" not in html
    assert all((a.get("href") or "").startswith("#") for a in page.all("a"))
    assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on")]


def test_names_of_users_are_text_never_markup(whole: tuple[str, Page]) -> None:
    html, page = whole
    assert "<script" not in html
    assert EVIL in page.text
    assert any(EVIL in (svg["aria-label"] or "") for svg in page.all("svg"))


def test_every_drawing_has_words_and_every_table_scrolls(whole: tuple[str, Page]) -> None:
    html, page = whole
    assert len(page.all("svg")) == len(page.all("figure")) == 13
    assert all(svg["role"] == "img" and svg["aria-label"] for svg in page.all("svg"))
    assert all(region["aria-label"] and region["tabindex"] == "0" for region in page.all("div") if "role" in region)
    assert html.count("<table") == html.count('<div class="scroll"')
    assert page.all("html")[0]["lang"] == "en"
    assert len(page.all("h1")) == len(page.all("main")) == 1
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))


def test_light_and_dark_and_phones(whole: tuple[str, Page]) -> None:
    html, _ = whole
    assert "prefers-color-scheme: dark" in html
    assert 'name="viewport"' in html


def test_equal_runs_give_equal_bytes(whole: tuple[str, Page], tmp_path: Path) -> None:
    assert write(tmp_path)[0] == whole[0]


def test_numbers_reach_the_page(whole: tuple[str, Page]) -> None:
    text = words(whole[1])
    assert [text.count(f"Kept: epoch {epoch}.") for epoch in (17, 6, 3)] == [2, 2, 2]
    for expected in ("0.0440", "EASE, best of 3 baselines", "0.0416", "simulated from real patterns", "17,431"):
        assert expected in text


OPEN = [{"model": "ease", "low": -0.0001, "high": 0.0049}]


@pytest.mark.parametrize(
    ("ours", "differences", "sentence"),
    [
        (1.1, [], "is ahead of the best baseline, EASE"),
        (1.1, OPEN, "cannot be told apart from the best baseline, EASE"),
        (0.9, [], "is behind the best baseline, EASE. For garden, serve EASE"),
        (0.9, [{"model": "ease", "low": -0.009, "high": -0.001}], "is behind the best baseline, EASE."),
    ],
)
def test_the_headline_is_honest(tmp_path: Path, ours: float, differences: list[JSON], sentence: str) -> None:
    _, page = write(tmp_path, {"evaluate": {"differences": differences}}, {**MODELS, "graphrec": ours})
    assert sentence in words(page)
    assert ("no interval recorded" in words(page)) == (not differences)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"denoise": {"num_triples": 0}}, "has no triples, so there was nothing to denoise"),
        ({"denoise": {"truth": None}}, "the truth is not known"),
        ({"denoise": {"truth": None, "heldout": None}}, "measured neither held-out corruptions nor truth"),
        (
            {"ingest": {"profile": {"overlap": {"domains": ["garden"], "users": [[9]], "items": [[9]]}}}},
            "share no users",
        ),
        (
            {"ingest": {"profile": {"domains": [SUMMARIES["ingest"]["profile"]["domains"][0]], "overlap": {}}}},
            "There is one domain",
        ),
        ({"ingest": {"about": ""}}, "does not say where the data came from"),
        ({"ingest": {"profile": {"dropped": {}}}}, "Nothing was dropped"),
        ({"select": {"sources": [], "trials": []}}, "no source domains, so there was nothing to select"),
        ({"adapt": {"curve": []}}, "adapt left no curve"),
    ],
)
def test_gaps_are_named(tmp_path: Path, changes: dict[str, JSON], sentence: str) -> None:
    assert sentence in words(write(tmp_path, changes)[1])


def test_a_run_that_stopped_early_still_has_a_report(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", {"ingest": {}}, {})
    write_report(run, tmp_path / "report.html")
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "evaluate stage did not run" in words(page)
    assert words(page).count("not run") >= 8


def test_summaries_without_any_key_are_shown_as_absent(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", {stage: {"other": 1} for stage in SUMMARIES}, {})
    write_report(run, tmp_path / "report.html")
    assert formats.ABSENT in words(Page((tmp_path / "report.html").read_text(encoding="utf-8")))


def table_text(run: RunFolder) -> str:
    console = Console(width=100, record=True, file=None, force_terminal=False, quiet=False, color_system=None)
    with console.capture() as capture:
        console.print(summary_table(run))
    return capture.get()


def test_terminal_table_marks_the_best(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", SUMMARIES, {"evaluate": scores({**MODELS, "ease": 2.0})})
    lines = table_text(run).splitlines()
    assert [line.split()[0] for line in lines[4:10]] == ["graphrec", "target", "all", "popularity", "RP3beta", "EASE"]
    assert [line.count("*") for line in lines[4:10]] == [0, 0, 0, 0, 0, 6]
    assert "0.0800*" in lines[9]


def test_terminal_table_of_a_run_without_scores_is_empty(tmp_path: Path) -> None:
    assert summary_table(make_run(tmp_path / "run", {"ingest": {}}, {})).row_count == 0


def test_bar_lengths_are_proportional() -> None:
    svg = str(bar_figure("t", [Bar("a", 1.0), Bar("b", 0.5), Bar("c", 0.0)]).svg)
    widths = [float(width) for width in re.findall(r'width="([\d.]+)"', svg)]
    assert widths == [206.0, 103.0, 0.0]


def test_bars_of_zero_and_long_names() -> None:
    svg = str(bar_figure("t", [Bar("x" * 40, 0.0), Bar("名" * 20, -1.0, low=-2.0, high=0.0)]).svg)
    assert "x" * 18 + "…" in svg
    assert "名" * 9 + "…" in svg


def test_line_meets_its_corners() -> None:
    figure = line_figure("t", [Line("l", [(0, 0), (1, 1)])], x="x", y="y", shares=True)
    assert 'd="M44 200L388 24"' in figure.svg
    assert figure.rows == [("l", "0", "0"), ("l", "1", "1")]


def test_epochs_are_marked_at_whole_numbers() -> None:
    svg = str(line_figure("t", [Line("l", [(1, 0.1), (2, 0.3)])], x="epoch", y="y").svg)
    assert re.findall(r'text-anchor="middle">([^<]*)<', svg) == ["1", "2"]


@pytest.mark.parametrize(
    "points", [[], [(1, 2.0)], [(1, 2.0), (2, 2.0)], [(0, 0.0), (1, 1e-300)], [(0, -1e9), (1, 1e9)]]
)
def test_lines_of_any_points(points: list[tuple[float, float]]) -> None:
    svg = str(line_figure("t", [Line("l", points)], x="x", y="y").svg)
    assert "nan" not in svg
    assert "inf" not in svg


def test_formats() -> None:
    assert formats.count(12345.0) == "12,345"
    assert formats.seconds(64.2) == "1 min 04 s"
    assert formats.seconds(0.31) == "0.3 s"
    assert formats.signed(-0.00123) == "\N{MINUS SIGN}0.0012"
    assert (formats.percent(0.0042), formats.percent(0.139), formats.percent(0)) == ("0.42 %", "13.9 %", "0.0 %")
    assert (formats.plain(True), formats.plain([]), formats.plain(None)) == ("yes", "none", formats.ABSENT)
    assert formats.score(None) == formats.count("many") == formats.ABSENT
