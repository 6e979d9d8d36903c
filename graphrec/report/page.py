"""One self-contained page: no script, no network, the same bytes for the same run."""

from pathlib import Path

from graphrec.core import files
from graphrec.core.artifacts import RunFolder
from graphrec.report._jinja2 import render
from graphrec.report.facts import Facts
from graphrec.report.scores import Scores
from graphrec.report.sections.comparison import comparison
from graphrec.report.sections.data import data
from graphrec.report.sections.denoise import denoise
from graphrec.report.sections.headline import headline
from graphrec.report.sections.learning import learning
from graphrec.report.sections.longtail import longtail
from graphrec.report.sections.origin import origin, reproduce
from graphrec.report.sections.pipeline import pipeline
from graphrec.report.sections.subsets import subsets
from graphrec.report.sections.worth import worth


def write_report(run: RunFolder, path: Path) -> None:
    """Write the report of `run` to `path`, by rename; stages that did not run are named as missing."""
    files.write_text(path, make_report(Facts.read(run)))


def make_report(facts: Facts) -> str:
    """Return the page as HTML."""
    scores = Scores.read(facts)
    values = {
        "run": facts.entries.get("name", ""),
        "target": facts.target,
        "headline": headline(facts, scores),
        "pipeline": pipeline(facts),
        "data": data(facts),
        "denoise": denoise(facts),
        "worth": worth(facts),
        "learning": learning(facts),
        "subsets": subsets(facts),
        "comparison": comparison(facts, scores),
        "longtail": longtail(facts),
        "origin": origin(facts),
        "reproduce": reproduce(facts),
    }
    return render("page.html", values)
