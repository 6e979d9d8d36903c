"""Events as questions: what the target's own model says of a user when one event is left out."""

import numpy as np
import torch

from finetune.channels import BLOCK
from finetune.target import Target
from graphrec.core.types import BoolArray, FloatArray, IntArray
from graphrec.encoders.base import MultiDomainEncoder
from graphrec.graph.histories import Histories


@torch.no_grad()
def left_out_views(
    encoder: MultiDomainEncoder, histories: Histories, events: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Return the user's view around each event, the event itself left out, and all item vectors, unit rows."""
    nodes = encoder.nodes()
    own = np.zeros((len(events), encoder.dim), dtype=np.float32)
    for start in range(0, len(events), BLOCK):
        rows = slice(start, start + BLOCK)
        own[rows] = encoder.views(nodes, histories.around(events[rows], encoder.reach))[:, 0].cpu().numpy()
    items = torch.arange(encoder.num_items, device=encoder.gate.device)
    return own, encoder.offered(nodes, items).cpu().numpy().astype(np.float32)


def has_view(target: Target, history: str) -> BoolArray:
    """Return which users any source has a view of, `[num_users]`."""
    found = np.zeros(target.graph.num_users, dtype=np.bool_)
    for view in target.views[history].values():
        found |= view.any(axis=1)
    return found
