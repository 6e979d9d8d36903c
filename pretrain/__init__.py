"""Pretraining: a multi-domain graph encoder, self-supervised on all source domains."""

import os

# Waiting OpenMP threads that spin starve every other process; it must be set before torch loads.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
