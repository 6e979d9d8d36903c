"""Names of the kinds of corruption, which `graphrec.data.corrupt` explains; apart, so that options load quickly."""

KINDS = ("uniform", "same_type", "near")
"""Kinds of corruption; a kind's number is its place here."""

MIXED = "mixed"
"""The name of all kinds in equal parts."""
