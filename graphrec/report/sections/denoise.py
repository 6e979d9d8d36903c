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
        "spoke": [*_spoke(summary)],
        "passed_over": ", ".join(map(formats.plain, summary.get("passed_over") or [])),
        "kinds": [(formats.plain(name), formats.percent(part)) for name, part in (summary.get("kinds") or {}).items()],
        "kept": _kept(summary.get("kept") or {}),
    }


def _spoke(summary: JSON) -> Iterator[tuple[str, str]]:
    """Yield each signal and how much it says of a triple on average."""
    for name, amount in zip(summary.get("signals") or [], summary.get("said") or [], strict=False):
        yield formats.plain(name), f"{amount:.2f}"


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


def _kept(kept: JSON) -> JSON:
    """Return what was kept and dropped as tables, empty where the stage does not say."""
    if not kept:
        return {}
    return {
        "sentence": _KEPT.format(
            policy=kept.get("policy"),
            kept=formats.count(kept.get("num_kept")),
            num=formats.count(kept.get("num_triples")),
            before=formats.percent(kept.get("precision_before")),
            after=formats.percent(kept.get("precision_after")) if kept.get("num_kept") else "none",
        ),
        "guard": _GUARD.format(
            lost=formats.count(kept.get("num_entities_lost")),
            entities=formats.count(kept.get("num_entities")),
            guarded=formats.count(kept.get("num_guarded")),
            saved=formats.count(kept.get("num_entities_saved")),
        ),
        "relations": [_kept_relation(row) for row in kept.get("relations", [])],
        "classes": [_kept_class(kind, row) for kind in ("entities", "items") for row in kept.get(kind, [])],
    }


_KEPT = (
    "Policy {policy}: {kept} of {num} triples are kept. "
    "Expected share of true ones: {before} of all, {after} of those kept."
)
_GUARD = (
    "{lost} of {entities} entities lost all their triples. The guard of rare entities kept {guarded} triples more, "
    "which saved {saved} entities from that."
)
_CLASS = {"entities": "entities by their triples", "items": "items by their events"}


def _kept_relation(row: JSON) -> tuple[str, ...]:
    return (
        formats.plain(row.get("relation")),
        formats.count(row.get("num_triples")),
        formats.count(row.get("num_kept")),
        formats.percent(row.get("precision_before")),
        formats.percent(row.get("precision_after")) if row.get("num_kept") else "none kept",
    )


def _kept_class(kind: str, row: JSON) -> tuple[str, ...]:
    low, high = row.get("at_least"), row.get("at_most")
    span = f"{formats.count(low)} or more" if high is None else formats.count(low)
    return (
        _CLASS[kind],
        f"{row.get('class')} ({span if high is None or low == high else f'{span} to {formats.count(high)}'})",
        formats.count(row.get("num_entities")),
        formats.count(row.get("num_triples")),
        formats.count(row.get("num_kept")),
        formats.count(row.get("num_guarded")),
        formats.count(row.get("num_entities_lost")),
    )


def _relation(relation: JSON) -> tuple[str, ...]:
    return (
        formats.plain(relation.get("relation")),
        formats.count(relation.get("num_triples")),
        formats.score(relation.get("mean_probability")),
        formats.count(relation.get("num_below_half")),
        formats.percent(relation.get("noise_share")),
    )
