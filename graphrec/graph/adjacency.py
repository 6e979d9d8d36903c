"""Normalised adjacency as sparse matrices, and propagation over them."""

import warnings
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_array, diags_array

from graphrec.core.types import FloatArray, IntArray
from graphrec.graph._numba_propagate import WIDTH, multiply


def symmetric_adjacency(
    source: IntArray, target: IntArray, weight: FloatArray, num_nodes: int, power: float = 0.5
) -> csr_array:
    """Return D^-power (A + A^T) D^-power of weighted edges, `[num_nodes, num_nodes]`; no edges make a zero row.

    D has the row sums of A + A^T (LightGCN, He et al. 2020, eq. 7, with weights in place of ones, has a power of 1/2).
    """
    one_way = csr_array((weight.astype(np.float64), (source, target)), shape=(num_nodes, num_nodes))
    both = (one_way + one_way.T).tocsr()
    degree = both.sum(axis=1)
    scale = np.power(degree, -power, out=np.zeros(num_nodes), where=degree > 0)
    return (diags_array(scale) @ both @ diags_array(scale)).tocsr().astype(np.float32)


def to_torch(matrix: csr_array, device: torch.device | str = "cpu") -> torch.Tensor:
    """Return `matrix` as a torch sparse CSR tensor on `device`."""
    with warnings.catch_warnings():
        # torch says once per process that CSR is in beta; the products used here are tested against dense ones.
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta state")
        return torch.sparse_csr_tensor(
            torch.from_numpy(matrix.indptr.astype(np.int64)),
            torch.from_numpy(matrix.indices.astype(np.int64)),
            torch.from_numpy(matrix.data.astype(np.float32)),
            size=matrix.shape,
            device=device,
            check_invariants=False,
        )


def propagate(symmetric: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
    """Return `symmetric @ z`, `[num_nodes, dim]`, for a symmetric sparse CSR matrix without gradient.

    The gradient with respect to `z` is one more product with the same matrix; autograd's own rule
    would transpose it at every step, which takes 2.5 times as long. On the CPU a compiled kernel
    multiplies, where `dim` is a multiple of 16; torch does everywhere else.
    """
    result: torch.Tensor = _Propagate.apply(symmetric, z)  # type: ignore[no-untyped-call]
    return result


class _Propagate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, symmetric: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        ctx.symmetric = symmetric
        return _product(symmetric, z)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[None, torch.Tensor]:
        return None, _product(ctx.symmetric, grad)


def _product(matrix: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
    parts = (matrix.crow_indices(), matrix.col_indices(), matrix.values())
    compiled = z.device.type == "cpu" and z.shape[1] % WIDTH == 0 and parts[0].dtype == torch.int64
    if not compiled or not z.dtype == parts[2].dtype == torch.float32:
        return matrix @ z.contiguous()
    assert matrix.shape[1] == len(z), "a row of z for each column of the matrix"
    return torch.from_numpy(multiply(*(part.numpy() for part in (*parts, z.detach().contiguous()))))
