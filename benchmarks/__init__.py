"""Measurements, run by hand; their results stand in RESULTS.md."""

import graphrec  # noqa: F401 - sets what must precede torch
