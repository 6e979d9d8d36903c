"""What one step reads of the tables, so that a step costs by its batch and not by the graph.

    all nodes      nodes() ──────────────> Nodes of every item and entity
    one batch      part() ──> nodes_of() ─> Nodes of the batch's rows; both are asked by the same numbers

`part` is arithmetic on ids and draws the neighbours; `nodes_of` gathers vectors. A table is read once a
step, by ascending rows, and its gradient is sparse: as small as the batch.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn.functional import embedding, embedding_bag

from graphrec.core.types import FloatArray, Index, IntArray
from graphrec.graph.neighbourhood import Neighbourhood

_SPARSE = 256
"""Nodes of the graph for each id, from which on ids are sorted and searched: below, a mark for each node is cheaper."""


@dataclass(frozen=True)
class Places:
    """Which row each of the nodes `node` [num_rows], ascending, has; `table` [num_nodes] tells without a search."""

    node: torch.Tensor
    table: torch.Tensor | None

    def __call__(self, node: torch.Tensor) -> torch.Tensor:
        """Return the rows that are `node`; each of them must have one."""
        if self.table is None:
            return torch.searchsorted(self.node, node)
        return self.table.index_select(0, node).long()


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Nodes whose vectors are wanted, `node` [num_rows] ascending, and what must be read for them.

    `place` [num_nodes] is the row of each of them, and anything for other nodes; None where the graph is
    much larger than the batch. `read` has these nodes and their neighbours, ascending. `own` [num_rows]
    and `near` are positions in `read`; the neighbours of a row begin at `start` [num_rows] in `near`, with `weight`.
    """

    node: IntArray
    place: Index | None
    read: IntArray
    own: IntArray
    near: IntArray
    weight: FloatArray
    start: IntArray

    @classmethod
    def of(
        cls, nodes: IntArray, num_nodes: int, around: Neighbourhood, fanout: int, rng: np.random.Generator
    ) -> "Rows":
        """Return what to read for `nodes`, in any order and repeated, with up to `fanout` neighbours each."""
        node, place = _distinct(num_nodes, nodes)
        near = around.near(node, fanout, rng)
        read, own, others = node, np.arange(len(node)), near.node
        if len(near.node):
            read, at = _distinct(num_nodes, np.concatenate([node, near.node]))
            own, others = (_positions(read, at, which) for which in (node, near.node))
        return cls(node=node, place=place, read=read, own=own, near=others, weight=near.weight, start=near.start)

    def places(self, device: torch.device) -> Places:
        """Return how a step on `device` finds these nodes; to a GPU goes nothing that is as long as the graph."""
        table = None if self.place is None or device.type != "cpu" else torch.from_numpy(self.place)
        return Places(torch.from_numpy(self.node).to(device), table)


def _distinct(num_nodes: int, nodes: IntArray) -> tuple[IntArray, Index | None]:
    """Return the distinct `nodes`, ascending, and the place of each by node where that is cheap to write down."""
    if num_nodes > _SPARSE * len(nodes):
        ordered = np.sort(nodes).astype(np.int64, copy=False)
        return ordered[np.append(True, ordered[1:] != ordered[:-1])[: len(nodes)]], None
    marked = np.zeros(num_nodes, dtype=np.bool_)
    marked[nodes] = True
    node = np.flatnonzero(marked).astype(np.int64, copy=False)
    place: Index = np.empty(num_nodes, dtype=np.int32)
    place[node] = np.arange(len(node), dtype=np.int32)
    return node, place


def _positions(node: IntArray, place: Index | None, wanted: IntArray) -> IntArray:
    return (np.searchsorted(node, wanted) if place is None else place[wanted]).astype(np.int64, copy=False)


@dataclass(frozen=True, kw_only=True)
class Part:
    """The rows of one batch: items that describe users (`context`), items that are offered (`score`)."""

    context: Rows
    score: Rows


Read = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""(ids [num_rows], table) -> the rows [num_rows, dim], whose gradient is sparse rows of the table."""


def gather(
    table: torch.Tensor, rows: Rows, near_weight: float, read: Read | None = None, kept: torch.Tensor | None = None
) -> torch.Tensor:
    """Return `table` at `rows.node` plus `near_weight` times the weighted sum of the neighbours, `[num_rows, dim]`.

    `kept` [num_rows, 1] is 0 for nodes whose own vector does not count; as neighbours they do.
    """
    ids = torch.from_numpy(rows.read).to(table.device)
    vector = embedding(ids, table, sparse=True) if read is None else read(ids, table)
    if not len(rows.near):
        return vector if kept is None else vector * kept
    arrays = (rows.own, rows.near, rows.weight * np.float32(near_weight), rows.start)
    parts = (torch.from_numpy(array).to(table.device) for array in arrays)
    added: torch.Tensor = _AddNear.apply(vector, *parts)  # type: ignore[no-untyped-call]
    if kept is not None:
        added = added - (1 - kept) * vector.index_select(0, torch.from_numpy(rows.own).to(table.device))
    return added


class _AddNear(torch.autograd.Function):
    # The gradient of torch's own sum over neighbours would sort them first.
    @staticmethod
    def forward(ctx: Any, vector: torch.Tensor, *parts: torch.Tensor) -> torch.Tensor:
        own, near, weight, start = parts
        ctx.save_for_backward(*parts)
        ctx.num_read = len(vector)
        return embedding_bag(near, vector, start, mode="sum", per_sample_weights=weight) + vector.index_select(0, own)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        own, near, weight, start = ctx.saved_tensors
        made = grad.new_zeros(ctx.num_read, grad.shape[1]).index_copy_(0, own, grad)
        size = torch.diff(start, append=start.new_tensor([len(near)]))
        made.index_add_(0, near, torch.repeat_interleave(grad, size, dim=0) * weight[:, None])
        return made, None, None, None, None
