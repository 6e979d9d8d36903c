"""Transfer: choose the source domains that help a target domain, and adapt to it, never below target-only."""

import os

# Waiting OpenMP threads that spin starve every other process; it must be set before torch loads.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
