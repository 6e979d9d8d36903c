"""graphrec: graph pretraining and cross-domain transfer for recommendation.

Notebooks import `graphrec.api`; the command line is `graphrec`. Everything else is internal.
"""

import os

# A spinning OpenMP barrier makes torch 10-100x slower on a busy machine; it must be set before torch loads.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

__version__ = "0.1.0"
