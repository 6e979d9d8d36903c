"""Convolutions of PyG, one for each relation."""

import warnings
from collections.abc import Sequence
from typing import cast

import torch

with warnings.catch_warnings():
    # The library compiles parts of itself with torch.jit.script, which torch deprecates.
    warnings.filterwarnings("ignore", message=".*torch.jit.script.*", category=DeprecationWarning)
    from torch_geometric.nn import GraphConv

Part = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""The edges of one relation: the nodes that receive, `edge_index` [2, num_edges] to their places, weights."""


class RelationalStep(torch.nn.Module):
    """The sum over relations of W_r times the weighted sum over neighbours, `[num_nodes, dim]`.

    R-GCN (Schlichtkrull et al. 2018, eq. 2) without its self-loop, which the caller has, and without
    ReLU between steps, as LightGCN; there an edge weighs 1 / degree. W_r begins as the identity.
    """

    def __init__(self, num_relations: int, dim: int) -> None:
        super().__init__()
        self.convolutions = torch.nn.ModuleList(_convolution(dim) for _ in range(num_relations))

    def forward(self, vector: torch.Tensor, parts: Sequence[Part]) -> torch.Tensor:
        """Return what every node hears of `vector` [num_nodes, dim] over `parts`, one for each relation."""
        total = torch.zeros_like(vector)
        for convolution, (node, edges, weight) in zip(self.convolutions, parts, strict=True):
            heard = convolution((vector, None), edges, weight, size=(len(vector), len(node)))
            total = total.index_add(0, node, heard)
        return total


def _convolution(dim: int) -> torch.nn.Module:
    made = GraphConv(dim, dim, bias=False)
    torch.nn.init.eye_(made.lin_rel.weight)
    made.lin_root = torch.nn.Identity()  # not called, since receivers bring no vector
    return cast(torch.nn.Module, made)
