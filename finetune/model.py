"""The transfer model as something to train: the target's own encoder, and maps that add the frozen views of sources.

    z(u) = scale * own(u) + sum over sources d that know u of (view_d(u) - mean_d) M_d

Scores are inner products with the target's unit item vectors. Maps begin as closed forms times their weights
(`maps.py`, `evidence.py`); `scale` and `mean` stay as they are. Without sources it is the target-only model.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch

from finetune.channels import OWN, USERS
from finetune.config import ModelConfig
from finetune.maps import SourceMap
from finetune.target import Target
from graphrec.core.types import FloatArray, IntArray
from graphrec.encoders.base import MultiDomainEncoder, Nodes
from graphrec.encoders.domain_views import DomainViews
from graphrec.encoders.pretrained import TRAIN
from graphrec.graph.histories import Bags


class Transfer(torch.nn.Module):
    """An encoder of the target and the maps of `sources`; see the top of this module."""

    def __init__(
        self, encoder: MultiDomainEncoder, target: Target, maps: Mapping[str, SourceMap], weight: Mapping[str, float]
    ) -> None:
        super().__init__()
        self.encoder, self.target, self.scale = encoder, target, weight[OWN]
        self.sources = tuple(name for name in target.sources if name in maps and weight.get(f"{USERS}:{name}"))
        shares = [np.float32(weight[f"{USERS}:{name}"]) for name in self.sources]
        width, dim = target.view_dim, encoder.dim
        begun = [share * maps[name].matrix for share, name in zip(shares, self.sources, strict=True)]
        means = [maps[name].mean for name in self.sources]
        self.map = torch.nn.Parameter(torch.from_numpy(np.stack([*begun, np.zeros((width, dim), np.float32)])[:-1]))
        mean = torch.from_numpy(np.stack([*means, np.zeros(width, np.float32)])[:-1].astype(np.float32))
        self.mean: torch.Tensor
        self.register_buffer("mean", mean)
        self.to(encoder.gate.device)

    def views(self, users: IntArray, history: str) -> FloatArray:
        """Return the frozen views of the model's sources, `[len(users), num_sources, view_dim]`."""
        found = np.empty((len(users), len(self.sources), self.target.view_dim), dtype=np.float32)
        for place, name in enumerate(self.sources):
            found[:, place] = self.target.views[history][name][users]
        return found

    def users(self, nodes: Nodes, bags: Bags, views: FloatArray) -> torch.Tensor:
        """Return user vectors for rows whose own events are in `bags`, `[num_rows, dim]`."""
        z = self.scale * self.encoder.views(nodes, bags)[:, 0]
        if not self.sources:
            return z
        seen = torch.from_numpy(views).to(z)
        known = (seen != 0).any(dim=2, keepdim=True)
        return z + torch.einsum("rsv,svd->rd", (seen - self.mean) * known, self.map)

    @property
    def maps(self) -> dict[str, SourceMap]:
        """The maps as they are now; what they were weighed with is in them."""
        matrix, mean = self.map.detach().cpu().numpy(), self.mean.cpu().numpy()
        return {name: SourceMap(mean[place], matrix[place]) for place, name in enumerate(self.sources)}


def new_encoder(target: Target, config: ModelConfig, seed: int) -> DomainViews:
    """Return the target's own encoder, untrained, on the GPU where there is one."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    # With one domain there is nothing to gate.
    options = replace(config.encoder, gate=1.0)
    return DomainViews(target.graph, target.histories(TRAIN), (target.domain,), options, seed).to(device)
