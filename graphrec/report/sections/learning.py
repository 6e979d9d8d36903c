"""Learning curves: loss, and validation where it was taken."""

from graphrec.core.types import JSON
from graphrec.report.charts.figure import Figure
from graphrec.report.charts.lines import Line, line_figure
from graphrec.report.facts import Facts


def learning(facts: Facts) -> JSON:
    """Return the curves of pretraining and of the fine-tune, and the names of those that left none."""
    stages = ("pretrain", "adapt")
    figures = [f for stage in stages for f in curve_figures(stage, facts.summary(stage), "validation NDCG@10")]
    silent = [stage for stage in stages if not facts.summary(stage).get("curve")]
    if not figures:
        return {"missing": "Neither pretrain nor adapt left a learning curve."}
    return {"figures": figures, "silent": silent}


def curve_figures(stage: str, summary: JSON, valid: str) -> list[Figure]:
    """Draw the `curve` of a summary, rows of epoch, loss and valid; `valid` names the last one."""
    # The curve of adapt is that of the base, and of further training of the candidate that ships.
    best = summary.get("kept", summary.get("best_epoch"))
    note = "" if best is None else f"Kept: epoch {best}." if best else "Kept: the start, before epoch 1."
    figures = []
    for key, words in (("loss", "loss"), ("valid", valid)):
        rows = (row for row in summary.get("curve", []) if row.get(key) is not None and "epoch" in row)
        points = [(row["epoch"], row[key]) for row in rows]
        if points:
            figures.append(line_figure(f"{stage}: {words}", [Line(words, points)], x="epoch", y=words, note=note))
    return figures
