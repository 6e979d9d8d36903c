"""Denoise: a calibrated probability of being true for every triple of a noisy knowledge graph.

Read it in this order: `denoise` (the stage as a function), `line` (from triples to log odds), `rows` (the wrong
triples that everything is held against), `signals` (what scores a triple), `crossfit` (nothing is scored by what
has seen it), `gaps` and `fuse` (many columns to one score), `mixture` and `calibrate` (scores to probabilities),
`prior`, `testimony` and `labelled` (what else is known), `keep` (what goes on), `review` and `labels` (people),
`curves` (how well it went), `stage` (the shell that reads and writes files).
"""

import os

# A spinning OpenMP barrier makes torch 10-100x slower on a busy machine; it must be set before torch loads.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
