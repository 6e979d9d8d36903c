"""The report of a run: `report.html` for a person, and the verdict and table at the end on the terminal.

run folder ─ facts.py ─> Facts ─ sections/*.py ─> plain values ─ templates/ ─> report.html
                           └──── scores.py ────> models by group, metric, k ─> terminal.py
"""

from graphrec.report.page import write_report
from graphrec.report.terminal import run_summary, summary_table

__all__ = ["run_summary", "summary_table", "write_report"]
