"""Measurements, run by hand; their results stand in RESULTS.md."""
