"""Denoise: a calibrated probability of being true for every triple of a noisy knowledge graph.

Read it in this order: `denoise` (the stage as a function), `signals` (what scores a triple),
`crossfit` (nothing is scored by a model that has seen it), `calibrate` (scores to probabilities),
`curves` (how well that went), `stage` (the shell that reads and writes files).
"""

import os

# A spinning OpenMP barrier makes torch 10-100x slower on a busy machine; it must be set before torch loads.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
