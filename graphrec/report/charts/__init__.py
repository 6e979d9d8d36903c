"""Drawings as inline SVG that takes its colours from the page: lines, bars, columns, and subsets by size.

Hand-drawn rather than rendered by a plotting library, so that text stays text (selectable, read
aloud), light and dark both work, and equal numbers give equal bytes. Names in a chart are the
user's: `Markup.format` escapes them.
"""
