"""Guess what unknown files are, and write the first configuration from the guess, reasons included.

    files ─ sample.py ─> Sample ─ columns.py ─> Column ─ tables.py ─> Guess ─ plan.py ─> Plan ─ write.py ─> YAML

At most 200,000 rows of a file are read. Every guess rests on names (`names.py`) and on values: what
repeats, what is unique, what looks like a time, and which ids files have in common.
"""

from graphrec.data.sniff.plan import Plan, make_plan
from graphrec.data.sniff.sample import read_samples
from graphrec.data.sniff.tables import Guess
from graphrec.data.sniff.write import as_yaml

__all__ = ["Guess", "Plan", "as_yaml", "make_plan", "read_samples"]
