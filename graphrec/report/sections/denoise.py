"""How well wrong triples are found: on corruptions held out, and on planted truth where there is one."""

from collections.abc import Iterator

from graphrec.core.types import JSON
from graphrec.report import formats
from graphrec.report.charts.figure import Figure
from graphrec.report.charts.lines import Line, line_figure
from graphrec.report.facts import Facts

KINDS = (("heldout", "held-out corruptions", "s1"), ("truth", "planted truth", "s2"))
"""Key in the summary, words, CSS class."""

_SCALARS = (
    ("auroc", "AUROC"),
    ("average_precision", "average precision of wrong triples"),
    ("base_rate", "base rate of wrong triples"),
    ("ece", "expected calibration error"),
)


def denoise(facts: Facts) -> JSON:
    """Return the scalars, the precision-recall and calibration figures, and the relations."""
    summary = facts.summary("denoise")
    if not summary:
        return {"missing": "The denoise stage did not run."}
    if not summary.get("num_triples"):
        return {"missing": "This data set has no triples, so there was nothing to denoise."}
    curves = [(words, style, summary[key]) for key, words, style in KINDS if summary.get(key)]
    return {
        "num_triples": summary.get("num_triples"),
        "noise_share": summary.get("noise_share"),
        "num_planted": (facts.summary("ingest").get("truth") or {}).get("num_wrong"),
        "columns": ["measure", *(words for words, _, _ in curves)],
        "rows": [(label, *(formats.score(c.get(key)) for _, _, c in curves)) for key, label in _SCALARS],
        "figures": list(_figures(curves)) if curves else [],
        "no_truth": not summary.get("truth"),
        "relations": [_relation(relation) for relation in summary.get("relations", [])],
    }


def _figures(curves: list[tuple[str, str, JSON]]) -> Iterator[Figure]:
    rates = [(style, c["base_rate"]) for _, style, c in curves if formats.is_number(c.get("base_rate"))]
    yield line_figure(
        "Finding wrong triples",
        [Line(words, [(p[0], p[1]) for p in c.get("precision_recall", [])], style) for words, style, c in curves],
        x="recall",
        y="precision",
        note="Precision and recall of wrong triples as the threshold moves. Thin dashes: chance.",
        shares=True,
        references=[Line("chance", [(0.0, rate), (1.0, rate)], style) for style, rate in rates],
    )
    yield line_figure(
        "Calibration",
        [Line(words, [(p[0], p[1]) for p in c.get("reliability", [])], style) for words, style, c in curves],
        x="probability given",
        y="share true",
        note="On the diagonal a probability means what it says.",
        shares=True,
        references=[Line("perfect", [(0.0, 0.0), (1.0, 1.0)], "even")],
    )


def _relation(relation: JSON) -> tuple[str, ...]:
    return (
        formats.plain(relation.get("relation")),
        formats.count(relation.get("num_triples")),
        formats.score(relation.get("mean_probability")),
        formats.count(relation.get("num_below_half")),
        formats.percent(relation.get("noise_share")),
    )
