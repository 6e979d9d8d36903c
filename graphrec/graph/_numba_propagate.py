"""Compiled sparse-times-dense product: the rows to come are asked from memory before they are needed.

A product with a large graph waits for memory: each entry reads one row of vectors from a random
place. Which row that will be is known long before, hence the processor is told to fetch the row of
the entry `_AHEAD` places on, which needs LLVM's own instruction. The sums stay in registers.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from graphrec.core.types import FloatArray, IntArray

WIDTH = 16
"""Numbers of a vector; the columns of the dense matrix come in multiples of it."""

_BLOCK = 4 * WIDTH
"""Columns that one pass over a row's entries sums up, where so many are left."""

_AHEAD = 24
"""Entries between the request for a row and its use; 16 to 32 are measured alike, 8 is slower."""

_LINE = 64
"""Bytes of a cache line."""

_TASK = 1 << 18
"""Entries of one task: so few that no thread waits long for another."""

_COPIED = 1 << 25
"""Bytes of vectors from which on a copy to large pages pays: twice as fast at 256 MiB, the copy included."""

_SPARE: list[FloatArray] = []

_FLOAT, _INT, _LANE = ir.FloatType(), ir.IntType(64), ir.IntType(32)
_VECTOR, _NUMBERS = ir.VectorType(_FLOAT, WIDTH), ir.VectorType(_LANE, WIDTH)
_NOTHING = ir.Constant(_VECTOR, ir.Undefined)

_Lowering = Callable[[Any, ir.IRBuilder, Any, tuple[ir.Value, ...]], ir.Value]


def multiply(indptr: IntArray, indices: IntArray, value: FloatArray, z: FloatArray) -> FloatArray:
    """Return the product of a CSR matrix and the contiguous `z[num_columns, dim]`, `[num_rows, dim]`.

    `dim` is a multiple of `WIDTH`. A row is summed by one thread in the order of its entries, so that
    the number of threads changes no bit.
    """
    result = torch.empty(len(indptr) - 1, z.shape[1]).numpy()  # rows begin with a cache line
    if z.nbytes > _COPIED:
        with _on_large_pages(z) as copy:
            _share_out(indptr, indices, value, copy, result)
    else:
        _share_out(indptr, indices, value, z, result)
    return result


def _share_out(indptr: IntArray, indices: IntArray, value: FloatArray, z: FloatArray, result: FloatArray) -> None:
    num_tasks = len(indices) // _TASK + 1
    inner = np.searchsorted(indptr, np.linspace(0, len(indices), num_tasks + 1)[1:-1])
    bounds = [0, *inner.tolist(), len(result)]

    def work(task: int) -> None:
        _multiply(indptr, indices, value, z, result, bounds[task], bounds[task + 1])

    # Threads of our own, not numba's: its threading layers clash with torch's OpenMP and with forks.
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        list(pool.map(work, range(num_tasks)))


@contextmanager
def _on_large_pages(z: FloatArray) -> Iterator[FloatArray]:
    # NumPy asks for large pages, torch does not. To find free ones may take the system longer than the
    # product does, hence the last space is kept for the next call.
    line = _LINE // 4
    space = _SPARE.pop() if _SPARE else np.empty(0, dtype=np.float32)
    if len(space) < z.size + line:
        space = np.empty(z.size + line, dtype=np.float32)
    skip = -(space.ctypes.data // 4) % line
    copy = space[skip : skip + z.size].reshape(z.shape)
    torch.from_numpy(copy).copy_(torch.from_numpy(z))
    yield copy
    _SPARE[:] = [space]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _multiply(
    indptr: IntArray, indices: IntArray, value: FloatArray, z: FloatArray, result: FloatArray, low: int, high: int
) -> None:
    dim, last = z.shape[1], len(indices) - 1
    whole = dim // _BLOCK * _BLOCK
    entries, weights, rows, out = indices.ctypes.data, value.ctypes.data, z.ctypes.data, result.ctypes.data
    for row in range(low, high):
        start, stop, place = indptr[row], indptr[row + 1], out + row * dim * 4
        if start == stop:
            result[row] = 0.0
            continue
        for k in range(0, whole, _BLOCK):
            _sum_block(entries, weights, start, stop, last, rows + k * 4, dim, place + k * 4)
        for k in range(whole, dim, WIDTH):
            _sum_vector(entries, weights, start, stop, last, rows + k * 4, dim, place + k * 4)


@intrinsic  # type: ignore[untyped-decorator]
def _sum_block(
    context: Any, entries: Any, weights: Any, start: Any, stop: Any, last: Any, rows: Any, dim: Any, out: Any
) -> tuple[Any, _Lowering]:
    # Weighted sum of _BLOCK columns over the entries start, ..., stop - 1 (at least one); `last` is the last of all.
    return types.void(*[types.intp] * 8), _lowering(_BLOCK // WIDTH)


@intrinsic  # type: ignore[untyped-decorator]
def _sum_vector(
    context: Any, entries: Any, weights: Any, start: Any, stop: Any, last: Any, rows: Any, dim: Any, out: Any
) -> tuple[Any, _Lowering]:
    return types.void(*[types.intp] * 8), _lowering(1)


def _lowering(num_vectors: int) -> _Lowering:
    def lower(context: Any, builder: ir.IRBuilder, signature: Any, args: tuple[ir.Value, ...]) -> ir.Value:
        entries, weights, start, stop, last, rows, dim, out = args
        before, zero = builder.block, ir.Constant(_VECTOR, [0.0] * WIDTH)
        body, end = builder.append_basic_block("entry"), builder.append_basic_block("store")
        builder.branch(body)
        builder.position_at_end(body)
        entry, sums = builder.phi(_INT), [builder.phi(_VECTOR) for _ in range(num_vectors)]
        later = builder.add(entry, _INT(_AHEAD))
        later = builder.select(builder.icmp_signed("<", later, last), later, last)
        _fetch(builder, _at(builder, rows, _row(builder, entries, later, dim), _FLOAT), num_vectors)
        weight, row = _weight(builder, weights, entry), _row(builder, entries, entry, dim)
        added = []
        for v in range(num_vectors):
            part = _load(builder, rows, builder.add(row, _INT(v * WIDTH)), _VECTOR)
            added.append(builder.call(_fma(builder), [weight, part, sums[v]]))
        following = [builder.add(entry, _INT(1)), *added]
        for phi, first, new in zip([entry, *sums], [start, *[zero] * num_vectors], following, strict=True):
            phi.add_incoming(first, before)
            phi.add_incoming(new, body)
        builder.cbranch(builder.icmp_signed("<", following[0], stop), body, end)
        builder.position_at_end(end)
        for v in range(num_vectors):
            builder.store(added[v], _at(builder, out, _INT(v * WIDTH), _VECTOR)).align = 4
        return context.get_dummy_value()

    return lower


def _at(builder: ir.IRBuilder, address: ir.Value, offset: ir.Value, kind: ir.Type) -> ir.Value:
    unit = _FLOAT if kind is _VECTOR else kind
    return builder.bitcast(builder.gep(builder.inttoptr(address, unit.as_pointer()), [offset]), kind.as_pointer())


def _load(builder: ir.IRBuilder, address: ir.Value, offset: ir.Value, kind: ir.Type) -> ir.Value:
    loaded = builder.load(_at(builder, address, offset, kind))
    loaded.align = 8 if kind is _INT else 4
    return loaded


def _row(builder: ir.IRBuilder, entries: ir.Value, entry: ir.Value, dim: ir.Value) -> ir.Value:
    return builder.mul(_load(builder, entries, entry, _INT), dim)


def _weight(builder: ir.IRBuilder, weights: ir.Value, entry: ir.Value) -> ir.Value:
    one = builder.insert_element(_NOTHING, _load(builder, weights, entry, _FLOAT), _LANE(0))
    return builder.shuffle_vector(one, _NOTHING, ir.Constant(_NUMBERS, [0] * WIDTH))


def _fma(builder: ir.IRBuilder) -> ir.Function:
    kind = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
    return cgutils.get_or_insert_function(builder.module, kind, f"llvm.fma.v{WIDTH}f32")


def _fetch(builder: ir.IRBuilder, row: ir.Value, num_vectors: int) -> None:
    byte = ir.IntType(8).as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [byte, _LANE, _LANE, _LANE])
    fetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
    for offset in range(0, num_vectors * WIDTH * 4, _LINE):
        # To be read (0), into every cache (3), as data (1).
        place = builder.gep(builder.bitcast(row, byte), [_INT(offset)])
        builder.call(fetch, [place, _LANE(0), _LANE(3), _LANE(1)])
