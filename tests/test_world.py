"""Several processes on one machine, over gloo: rows and gradients arrive where they belong."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import torch
from graphrec.training.world import World

with World.join() as world:
    mine = slice(world.rank, None, world.size)
    whole = torch.arange(11 * 3, dtype=torch.float32).reshape(11, 3)
    table = torch.nn.Parameter(whole[mine].clone())
    assert len(table) == world.num_own(11)
    # The processes read different rows, some of them both, one of them nothing in the second round.
    reads = [torch.tensor([0, 3, 4, 10]), torch.tensor([1, 3, 8])]
    wanted = reads[world.rank % 2]
    rows = world.read_rows(wanted, table)
    assert torch.equal(rows, whole[wanted]), rows
    (rows * (world.rank + 1)).sum().backward()
    weight = torch.zeros(11)
    for rank in range(world.size):
        weight[reads[rank % 2]] += rank + 1
    assert torch.equal(table.grad.to_dense(), weight[:, None].expand(11, 3)[mine]), table.grad
    dense = torch.nn.Parameter(torch.zeros(2))
    if world.rank == 0:
        (dense.sum() * 4).backward()
    world.average_gradients([dense, table])
    assert torch.equal(dense.grad, torch.full((2,), 4.0 / world.size))
    assert torch.equal(table.grad.to_dense() * world.size, weight[:, None].expand(11, 3)[mine])
    empty = wanted[:0] if world.rank else wanted
    assert torch.equal(world.read_rows(empty, table), whole[empty])
    assert world.most(world.rank) == world.size - 1
"""


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_rows_and_gradients_arrive(tmp_path: Path, processes):
    script = tmp_path / "rows.py"
    script.write_text(SCRIPT)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]
