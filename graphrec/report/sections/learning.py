"""Learning curves of pretraining and of the fine-tune: loss, and validation NDCG@10 where it was taken."""

from collections.abc import Iterator

from graphrec.core.types import JSON
from graphrec.report.charts.figure import Figure
from graphrec.report.charts.lines import Line, line_figure
from graphrec.report.facts import Facts

_MEASURES = (("loss", "loss"), ("valid", "validation NDCG@10"))


def learning(facts: Facts) -> JSON:
    """Return up to four figures, and the names of the stages that left no curve."""
    stages = ("pretrain", "adapt")
    figures = [figure for stage in stages for figure in _figures(stage, facts.summary(stage))]
    silent = [stage for stage in stages if not facts.summary(stage).get("curve")]
    if not figures:
        return {"missing": "Neither pretrain nor adapt left a learning curve."}
    return {"figures": figures, "silent": silent}


def _figures(stage: str, summary: JSON) -> Iterator[Figure]:
    curve, best = summary.get("curve", []), summary.get("best_epoch")
    note = "" if best is None else f"Kept: epoch {best}."
    for key, words in _MEASURES:
        points = [(p["epoch"], p[key]) for p in curve if p.get(key) is not None and p.get("epoch") is not None]
        if points:
            yield line_figure(f"{stage}: {words}", [Line(words, points)], x="epoch", y=words, note=note)
