"""Names of the kinds of corruption, which `graphrec.data.corrupt` explains. Apart, so that options load nothing heavy."""

KINDS = ("uniform", "same_type", "near")
"""Kinds of corruption; a kind's number is its place here."""

MIXED = "mixed"
"""The name of all kinds in equal parts."""
