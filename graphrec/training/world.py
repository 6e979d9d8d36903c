"""Several processes as one: who owns which row, and how rows and gradients travel.

Row r of a table lies in process r % size, at place r // size. A step asks the owners for the rows it
reads and sends them the gradients of these rows: two exchanges, their bytes those of the rows alone.
What is small is copied to all processes, and its gradient averaged.

    torchrun sets rank, size and the meeting point; gloo carries the tensors, which lie in main memory
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import distributed


@dataclass(frozen=True)
class World:
    """This process, `rank`, among `size`; every method is a meeting that all of them must come to."""

    rank: int
    size: int

    @classmethod
    @contextmanager
    def join(cls) -> "Iterator[World]":
        """Meet the others as the environment of torchrun says; part when done."""
        distributed.init_process_group("gloo")
        try:
            yield cls(distributed.get_rank(), distributed.get_world_size())
        finally:
            distributed.destroy_process_group()

    def num_own(self, num_rows: int) -> int:
        """Return how many of `num_rows` rows this process owns."""
        return len(range(self.rank, num_rows, self.size))

    def sum(self, values: torch.Tensor) -> torch.Tensor:
        """Return the sum of everybody's `values`, which may be changed."""
        distributed.all_reduce(values)
        return values

    def most(self, value: int) -> int:
        """Return the largest of everybody's `value`."""
        found = torch.tensor(value)
        distributed.all_reduce(found, op=distributed.ReduceOp.MAX)
        return int(found)

    def average_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Average dense gradients over the processes; a missing one counts as zero. Sparse ones are divided only.

        The sparse ones are of rows that this process owns, and hold everybody's share already.
        """
        for parameter in parameters:
            if parameter.grad is not None and parameter.grad.is_sparse:
                parameter.grad = parameter.grad / self.size
                continue
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            parameter.grad = self.sum(parameter.grad) / self.size

    def exchange(self, values: torch.Tensor, counts: Sequence[int]) -> tuple[torch.Tensor, list[int]]:
        """Send the first `counts[0]` rows of `values` to process 0, the next to 1, ...; return what came, likewise."""
        sent = torch.tensor(counts, dtype=torch.int64, device=values.device)
        received = torch.empty_like(sent)
        distributed.all_to_all_single(received, sent)
        sizes = received.tolist()
        came = values.new_empty((sum(sizes), *values.shape[1:]))
        distributed.all_to_all_single(came, values.contiguous(), sizes, list(counts))
        return came, sizes

    def read_rows(self, ids: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
        """Return rows `ids` [num_rows] of a table of which each process has its own rows, `[num_rows, dim]`.

        The gradient goes to the owners, as sparse rows of `table`.
        """
        rows: torch.Tensor = _ReadRows.apply(table, ids, self)  # type: ignore[no-untyped-call]
        return rows


@dataclass(frozen=True)
class _Route:
    """How the rows of one read travel: `order` puts ids by owner, `asked` are own places that others want."""

    order: torch.Tensor
    counts: list[int]
    asked: torch.Tensor
    sizes: list[int]

    @classmethod
    def of(cls, ids: torch.Tensor, world: World) -> "_Route":
        owner = ids % world.size
        order = torch.argsort(owner, stable=True)
        counts = torch.bincount(owner, minlength=world.size).tolist()
        asked, sizes = world.exchange((ids // world.size)[order], counts)
        return cls(order, counts, asked, sizes)


class _ReadRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, table: torch.Tensor, ids: torch.Tensor, world: World) -> torch.Tensor:
        route = _Route.of(ids, world)
        came, _ = world.exchange(table[route.asked], route.sizes)
        ctx.route, ctx.world, ctx.shape = route, world, table.shape
        rows = torch.empty_like(came)
        rows[route.order] = came
        return rows

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        route: _Route = ctx.route
        came, _ = ctx.world.exchange(grad[route.order], route.counts)
        sparse = torch.sparse_coo_tensor(route.asked[None], came, ctx.shape, check_invariants=False)
        return sparse.coalesce(), None, None
