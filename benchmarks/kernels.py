"""Hot kernels beside what a library does, in one run: alternating repetitions, equal results asserted.

    GRAPHREC_DATA=FOLDER python -m benchmarks.kernels ranking      # gowalla, vectors of an SVD, d 64
    python -m benchmarks.kernels propagation                       # 1 M nodes, 20 M directed edges, d 64, 3 layers
    python -m benchmarks.kernels sampling                          # the same graph, fan-outs 10 and 5, batch 1,024

Prints a Markdown table: medians of wall time and of processor time (all threads together), for a machine
that others load too, and the ratio of the medians to ours.
"""

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import torch
from scipy.sparse import csr_array, diags_array
from scipy.sparse.linalg import svds

from graphrec.core.seeds import generator
from graphrec.graph.adjacency import propagate, to_torch
from graphrec.metrics.ranking import rank
from graphrec.metrics.scorers import VectorScorer
from graphrec.samplers._dgl import dgl  # type: ignore[attr-defined]
from graphrec.samplers.neighbours import NeighbourSampler

DIM, LAYERS, TOP, BATCH, FANOUTS = 64, 3, 20, 1024, (10, 5)
USERS, ITEMS, EDGES = 700_000, 300_000, 10_000_000

Work = Callable[[], object]


def main() -> None:
    """Time the kernels named and print their tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kernels", nargs="+", choices=KERNELS)
    parser.add_argument("--repetitions", type=int, default=5)
    options = parser.parse_args()
    print(f"{_processor()}; {torch.get_num_threads()} threads", flush=True)
    for name in options.kernels:
        before = os.getloadavg()[0]
        rows = KERNELS[name](options.repetitions)
        print(f"\n{name}; load {before:.1f} before, {os.getloadavg()[0]:.1f} after\n\n{rows}", flush=True)


def ranking(repetitions: int) -> str:
    """Rank gowalla's test events: torch in blocks of several sizes, the pass over blocks of scores, the fused pass."""
    events = pl.read_parquet(Path(os.environ["GRAPHREC_DATA"]) / "gowalla" / "interactions.parquet")
    shape = (events["user"].max() + 1, events["item"].max() + 1)
    train, test = (
        events.filter(pl.col("split") == name).select(pl.col("user", "item").cast(pl.Int64)).to_numpy().T
        for name in ("train", "test")
    )
    seen = csr_array((np.ones(train.shape[1], dtype=np.float32), tuple(train)), shape=shape)
    scorer = VectorScorer(*_factors(seen))
    user, item = torch.from_numpy(scorer.user), torch.from_numpy(scorer.item)
    held = test[0], test[1]
    works: dict[str, Work] = {
        f"torch matmul, mask, top-{TOP}; blocks of {block:,}": lambda block=block: _plain(user, item, seen, block)
        for block in (1024, 4096)
    }
    works[f"ours: ranks of {test.shape[1]:,} pairs"] = lambda: rank(scorer, *held, seen)
    works[f"ours: ranks and top-{TOP}"] = lambda: rank(scorer, *held, seen, top=TOP)
    ours, plain = rank(scorer, *held, seen, top=TOP), _plain(user, item, seen, 1024).numpy()[np.unique(test[0])]
    # Another order of additions may swap neighbours; nothing else may differ.
    assert (ours.top == plain).mean() > 0.999
    slow = rank(_Blocks(scorer), *held, seen, top=TOP)
    assert np.array_equal(slow.ranks.value, ours.ranks.value) and np.array_equal(slow.top, ours.top)
    return _table(works, repetitions, shape[0], "users/s")


def propagation(repetitions: int) -> str:
    """Sum of three propagated layers and its gradient."""
    matrix = _bipartite().copy()
    degree = np.diff(matrix.indptr)
    scale = np.maximum(degree, 1).astype(np.float32) ** -0.5
    matrix.data = (np.repeat(scale, degree) * scale[matrix.indices]).astype(np.float32)
    adjacency, twin, factor = to_torch(matrix), _twin(matrix), torch.from_numpy(scale)[:, None]
    draw = generator(0, "kernels", "vectors")
    first, weight = (torch.from_numpy(draw.random((len(degree), DIM), dtype=np.float32)) for _ in range(2))

    def run(product: Callable[[torch.Tensor], torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        z = first.clone().requires_grad_()
        layer = total = z
        for _ in range(LAYERS):
            layer = product(layer)
            total = total + layer
        (total * weight).sum().backward()
        assert z.grad is not None
        return total.detach(), z.grad

    def with_dgl(z: torch.Tensor) -> torch.Tensor:
        return dgl.ops.copy_u_sum(twin, z * factor) * factor

    products: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
        "dgl copy_u_sum, degree scaling, symmetric backward": lambda z: _Symmetric.apply(with_dgl, z),
        "torch CSR, symmetric backward": lambda z: _Symmetric.apply(lambda x: adjacency @ x, z),
        "ours: propagate": lambda z: propagate(adjacency, z),
    }
    results = [run(product) for product in products.values()]
    for found in results[:-1]:
        for one, other in zip(found, results[-1], strict=True):
            assert torch.allclose(one, other, rtol=1e-4, atol=1e-5)
    del results
    return _table({name: lambda p=p: run(p) for name, p in products.items()}, repetitions, 1, "runs/s")


def sampling(repetitions: int) -> str:
    """A hundred batches of random seeds."""
    graph = _bipartite()
    twin, draw = _twin(graph), generator(0, "kernels", "seeds")
    batches = [draw.choice(graph.shape[0], BATCH, replace=False) for _ in range(100)]
    loader = dgl.dataloading.DataLoader(
        twin,
        torch.from_numpy(np.concatenate(batches)),
        dgl.dataloading.NeighborSampler(list(FANOUTS)),
        batch_size=BATCH,
        shuffle=False,
        num_workers=0,
    )
    sampler = NeighbourSampler(graph, FANOUTS)

    def with_dgl() -> int:
        return sum(block.num_edges() for _, _, blocks in loader for block in blocks)

    def ours() -> int:
        found = (sampler.sample(batch, seed=number) for number, batch in enumerate(batches))
        return sum(len(layer.source) for blocks in found for layer in blocks.layers)

    # Other random numbers, the same distribution: the totals of a hundred batches differ by less than a percent.
    assert abs(with_dgl() / ours() - 1) < 0.01
    return _table({"dgl NeighborSampler, 0 workers": with_dgl, "ours: 1 thread": ours}, repetitions, 100, "batches/s")


KERNELS: dict[str, Callable[[int], str]] = {"ranking": ranking, "propagation": propagation, "sampling": sampling}


class _Blocks:
    # Hides that the scores are dot products, so that `rank` goes through blocks of scores.
    def __init__(self, scorer: VectorScorer) -> None:
        self.score = scorer.score


class _Symmetric(torch.autograd.Function):
    @staticmethod
    def forward(ctx, product, z):  # noqa: ANN001, ANN205
        ctx.product = product
        return product(z)

    @staticmethod
    def backward(ctx, grad):  # noqa: ANN001, ANN205
        return None, ctx.product(grad.contiguous())


def _plain(user: torch.Tensor, item: torch.Tensor, seen: csr_array, block: int) -> torch.Tensor:
    tops = []
    for low in range(0, len(user), block):
        scores = user[low : low + block] @ item.T
        row, column = seen[low : low + block].nonzero()
        scores[torch.from_numpy(row), torch.from_numpy(column)] = -torch.inf
        tops.append(scores.topk(TOP).indices)
    return torch.cat(tops)


def _factors(seen: csr_array) -> tuple[np.ndarray, np.ndarray]:
    user, item = (np.maximum(seen.sum(axis=axis), 1) ** 0.5 for axis in (1, 0))
    scaled = (diags_array(1 / user) @ seen @ diags_array(1 / item)).tocsr().astype(np.float32)
    left, value, right = svds(scaled, k=DIM, rng=generator(0, "kernels", "svd"))
    factors = (left * value * user[:, None], right.T * value * item[:, None])
    return tuple(np.ascontiguousarray(f, dtype=np.float32) for f in factors)


@cache
def _bipartite() -> csr_array:
    # Power laws in random order: users' exponent 0.5, items' 0.9; the most popular item has about 250,000 users.
    draw = generator(0, "kernels", "graph")

    def ends(size: int, exponent: float) -> np.ndarray:
        share = np.cumsum(np.arange(1, size + 1) ** -exponent)
        return draw.permutation(size)[np.searchsorted(share / share[-1], draw.random(int(EDGES * 1.4)))]

    pairs = draw.permutation(np.unique(ends(USERS, 0.5) * ITEMS + ends(ITEMS, 0.9)))[:EDGES]
    assert len(pairs) == EDGES
    user, item = np.divmod(pairs, ITEMS)
    ones = np.ones(2 * EDGES, dtype=np.float32)
    both = (np.concatenate([user, item + USERS]), np.concatenate([item + USERS, user]))
    graph = csr_array((ones, both), shape=(USERS + ITEMS,) * 2)
    return csr_array((graph.data, graph.indices.astype(np.int64), graph.indptr.astype(np.int64)), shape=graph.shape)


def _twin(graph: csr_array) -> "dgl.DGLGraph":
    parts = (torch.from_numpy(graph.indptr), torch.from_numpy(graph.indices), [])
    twin = dgl.graph(("csr", parts), num_nodes=graph.shape[0]).formats(["csc", "csr"])
    twin.create_formats_()
    return twin


def _table(works: dict[str, Work], repetitions: int, amount: float, unit: str) -> str:
    # All once unmeasured, then in turns, so that a change of load hits all alike.
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
    for repetition in range(repetitions + 1):
        for name, work in works.items():
            wall, processor = time.perf_counter(), time.process_time()
            work()
            took = (time.perf_counter() - wall, time.process_time() - processor)
            times[name] += [took] if repetition else []
    medians = {name: [statistics.median(column) for column in zip(*rows, strict=True)] for name, rows in times.items()}
    ours = list(medians.values())[-1]
    lines = [f"| | {unit} | s | range | processor s | s / ours | processor s / ours |", "|---" * 7 + "|"]
    for name, (wall, processor) in medians.items():
        walls = [row[0] for row in times[name]]
        lines.append(
            f"| {name} | {amount / wall:,.1f} | {wall:.3f} | {min(walls):.3f}-{max(walls):.3f} | {processor:.3f} "
            f"| {wall / ours[0]:.2f} | {processor / ours[1]:.2f} |"
        )
    return "\n".join(lines)


def _processor() -> str:
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return names[0].partition(": ")[2] if names else platform.processor()


if __name__ == "__main__":
    main()
