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


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Nodes whose vectors are wanted, `node` [num_rows] ascending, and what must be read for them.

    `place` [num_nodes] is the row of each of them, and anything for other nodes. `read` has these
    nodes and their neighbours, ascending. `own` [num_rows] and `near` are positions in `read`; the
    neighbours of a row begin at `start` [num_rows] in `near`, with `weight`.
    """

    node: IntArray
    place: Index
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
        node = _distinct(num_nodes, nodes)
        place = _places(num_nodes, node)
        near = around.near(node, fanout, rng)
        read = _distinct(num_nodes, node, near.node) if len(near.node) else node
        at = _places(num_nodes, read) if len(near.node) else place
        own, others = (at[which].astype(np.int64) for which in (node, near.node))
        return cls(node=node, place=place, read=read, own=own, near=others, weight=near.weight, start=near.start)


def _distinct(num_nodes: int, *nodes: IntArray) -> IntArray:
    # A mark for each node is cheaper than sorting a batch, and is read in order.
    marked = np.zeros(num_nodes, dtype=np.bool_)
    for some in nodes:
        marked[some] = True
    return np.flatnonzero(marked).astype(np.int64, copy=False)


def _places(num_nodes: int, node: IntArray) -> Index:
    # Memory that is not written is not taken: this costs by the batch although it is as long as the graph.
    place: Index = np.empty(num_nodes, dtype=np.int32)
    place[node] = np.arange(len(node), dtype=np.int32)
    return place


@dataclass(frozen=True, kw_only=True)
class Part:
    """The rows of one batch: items that describe users (`context`), items that are offered (`score`)."""

    context: Rows
    score: Rows


Read = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""(ids [num_rows], table) -> the rows [num_rows, dim], whose gradient is sparse rows of the table."""


def gather(table: torch.Tensor, rows: Rows, near_weight: float, read: Read | None = None) -> torch.Tensor:
    """Return `table` at `rows.node` plus `near_weight` times the weighted sum of the neighbours, `[num_rows, dim]`."""
    ids = torch.from_numpy(rows.read).to(table.device)
    vector = embedding(ids, table, sparse=True) if read is None else read(ids, table)
    if not len(rows.near):
        return vector
    arrays = (rows.own, rows.near, rows.weight * np.float32(near_weight), rows.start)
    parts = (torch.from_numpy(array).to(table.device) for array in arrays)
    added: torch.Tensor = _AddNear.apply(vector, *parts)  # type: ignore[no-untyped-call]
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
