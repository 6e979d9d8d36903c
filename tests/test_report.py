"""The report: whole, escaped, offline, accessible, deterministic; honest when ours loses; tolerant of gaps."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from rich.console import Console

from graphrec.cli import table
from graphrec.core.artifacts import RunFolder
from graphrec.core.types import JSON
from graphrec.report import facts, formats, run_summary, summary_table, write_report
from graphrec.report.charts.bars import Bar, bar_figure
from graphrec.report.charts.lattice import Node, lattice_figure
from graphrec.report.charts.lines import Line, line_figure
from graphrec.report.sections import pipeline
from graphrec.report.sections.lattice import lattice
from graphrec.report.sections.sources import explained
from tests.fake_run import EVIL, make_run
from tests.fake_select import SELECT
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
    assert len(page.all("svg")) == len(page.all("figure")) == 15
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


def row_of(html: str, region: str, name: str) -> list[str]:
    table = html.partition(f'aria-label="{region}"')[2].partition("</table>")[0]
    rows = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in table.split("<tr")]
    return next(row for row in rows if row and row[0].partition(" <")[0] == name)


def test_why_these_sources(whole: tuple[str, Page]) -> None:
    html, page = whole
    assert row_of(html, "Sources", "pantry") == [
        *("pantry", "yes", "+0.0050 (+0.0029 to +0.0071)", "9.1", "2.2", "0.0"),
        *("95.0 %", "25.0 %", "\N{MINUS SIGN}0.951", "1.304", "0.310", "0.117", "0.241"),
    ]
    assert "they inform and do not decide" in words(page)
    assert "Exact: all 4 subsets were looked at" in words(page)
    bars = next(svg["aria-label"] or "" for svg in page.all("svg") if "Shapley" in (svg["aria-label"] or ""))
    assert bars.startswith("Shapley value of each source, in NDCG@10. pantry: +0.0050 (+0.0029 to +0.0071); ")
    drawn = html.partition('aria-label="Shapley')[2].partition("</svg>")[0]
    assert re.findall(r'<rect class="bar (\w+)"', drawn) == ["ours", "other"]
    assert row_of(html, "All subsets", "pantry")[1:] == ["0.0442", "0.0011", "+41.3"]


def test_who_gains(whole: tuple[str, Page]) -> None:
    row = row_of(whole[0], "Gain by group of users and of items", "tail items")
    assert row == ["tail items", "160", "0.0088", "\N{MINUS SIGN}0.0006 ± 0.0009", "\N{MINUS SIGN}0.0011 ± 0.0010"]


def test_groups_where_all_domains_were_not_tried() -> None:
    rows = [{k: v for k, v in row.items() if not k.startswith("all")} for row in SELECT["by_group"]]
    found = explained({**SELECT, "by_group": rows, "trials": SELECT["trials"][:3], "shapley_unit": "nats"})
    assert [len(row) for row in found["groups"]] == [len(found["group_columns"])] * 2 == [4, 4]
    assert "were not among the subsets tried" in found["cost"]
    assert found["shapley"].title.endswith("in nats")
    assert "Sampled: four random orders" in found["shapley"].note


def trial(domains: list[str], value: float, error: float) -> JSON:
    return {"domains": domains, "value": value, "standard_error": error, "gain": 100 * value}


@pytest.mark.parametrize(
    ("chosen", "against", "sentence"),
    [
        (["a"], (-0.005, 0.001), "cost 0.0050 of NDCG@10 on validation (paired standard error 0.0010): more than"),
        (["a"], (-0.005, 0.009), "(paired standard error 0.0090): no more than chance makes."),
        ([], (0.001, 0.001), "brought 0.0010 more NDCG@10 on validation (paired standard error 0.0010): no more than"),
        (["a"], (0.0, 0.0), "On validation all domains come to the same NDCG@10 as the chosen ones."),
        (["a"], None, "All domains at once were not among the subsets tried"),
        (["a", "b"], (0.0, 0.0), "All domains are chosen, so that there was no negative transfer to avoid."),
    ],
)
def test_what_all_domains_would_have_cost(chosen: list[str], against: tuple[float, float], sentence: str) -> None:
    summary = {"sources": ["a", "b"], "chosen": chosen, "all_against_chosen": against, "by_source": []}
    assert sentence in explained(summary)["cost"]


def test_lattice_marks_the_choice_its_path_and_both_ends(whole: tuple[str, Page]) -> None:
    drawn = whole[0].partition('aria-label="Subsets by size')[2].partition("</svg>")[0]
    assert re.findall(r'<text class="name halo \w+"[^>]*>([^<]*)<', drawn) == ["no source", "chosen", "all"]
    assert len(re.findall("<circle", drawn)) == 4
    (path,) = re.findall(r'<path class="line s1" d="M([^"]*)"', drawn)
    assert path.count("L") == 1


def test_lattice_follows_the_greatest_gain_and_thins() -> None:
    names = "abcdefg"
    subsets = [[name for place, name in enumerate(names) if code >> place & 1] for code in range(128)]
    trials = [trial(s, 0.04 + 0.001 * ("c" in s) + 0.0001 * ("a" in s) - 0.00001 * len(s), 0.001) for s in subsets]
    figure = lattice({"sources": list(names), "chosen": ["a", "c"], "trials": trials})
    assert figure.svg.count("<circle") == 64
    assert "The best 64 of 128 subsets are drawn." in figure.note
    (path,) = re.findall(r'<path class="line s1" d="M([^"]*)"', figure.svg)
    heights = [float(step.split()[1]) for step in path.split("L")]
    assert len(heights) == 3
    assert heights[0] - heights[1] > 5 * (heights[1] - heights[2]) > 0
    gap = [t for t in trials if len(t["domains"]) != 1]
    assert '"line s1"' not in lattice({"sources": list(names), "chosen": ["a", "c"], "trials": gap}).svg


def test_a_lattice_of_one_subset_and_bars_of_losses() -> None:
    svg = str(lattice_figure("t", [Node("no source", 0, 0.0, mark="no source")], [], x="x", y="y").svg)
    assert "nan" not in svg
    svg = str(bar_figure("t", [Bar("a", 1.0), Bar("b", -1.0, low=-2.0, high=0.0)], signed=True).svg)
    places = re.findall(r'<rect class="bar other" x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', svg)
    (a, width), (b, other) = [(float(x), float(w)) for x, w in places]
    assert (width, b + other) == (pytest.approx(other, abs=0.11), pytest.approx(a, abs=0.11))
    assert "b: \N{MINUS SIGN}1.0000" in svg


def test_a_selection_that_does_not_say_why_is_shown_as_before(tmp_path: Path) -> None:
    trials = [{key: value for key, value in t.items() if key != "gain"} for t in SELECT["trials"]]
    old = {**SUMMARIES, "select": {"target": "garden", "sources": SELECT["sources"], "trials": trials, "chosen": []}}
    run = make_run(tmp_path / "run", old, {})
    write_report(run, tmp_path / "report.html")
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert row_of(html, "All subsets", "pantry")[1:] == ["0.0442", "0.0011"]
    for absent in ("Shapley", "Subsets by size", "Who gains", "nats", "instead of the chosen"):
        assert absent not in html


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


def summary_text(run: RunFolder) -> str:
    console = Console(width=100, file=None, force_terminal=False, color_system=None)
    with console.capture() as capture:
        console.print(run_summary(run))
    return " ".join(capture.get().split())


def test_a_run_ends_with_choice_shipment_and_verdict(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", SUMMARIES, {"evaluate": scores(MODELS)})
    told = summary_text(run)
    assert "sources: pantry alone scored highest on validation. ships: " in told
    assert "test: On " in told and " below" not in told.partition("test: ")[2]
    bare = summary_text(make_run(tmp_path / "bare", {"ingest": {}}, {}))
    assert "sources:" not in bare and "ships:" not in bare and "the evaluate stage did not run" in bare


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
    assert formats.gain(31.04, 2.56, 1) == "+31.0 \N{PLUS-MINUS SIGN} 2.6"
    assert (formats.gain(-0.5, None, 1), formats.gain(None, 0.1)) == ("\N{MINUS SIGN}0.5", formats.ABSENT)
    assert (formats.percent(0.0042), formats.percent(0.139), formats.percent(0)) == ("0.42 %", "13.9 %", "0.0 %")
    assert (formats.plain(True), formats.plain([]), formats.plain(None)) == ("yes", "none", formats.ABSENT)
    assert formats.score(None) == formats.count("many") == formats.ABSENT


def test_what_the_data_lack_is_told(whole: tuple[str, Page]) -> None:
    assert "15 % of the triples are wrong on purpose" in words(whole[1])


def test_the_report_knows_the_stages_of_the_line() -> None:
    assert tuple(table.STAGES) == facts.STAGES == tuple(pipeline._DOES)
