"""Vector instructions that numba has no word for: a tile of scores, and comparisons of many scores with one.

The compiler's own vectorisation keeps the sums of a matrix product in memory, at a third of the
speed. Written out as LLVM's vector operations they stay in registers: `ROWS` users times `COLUMNS`
items at a time (Goto & van de Geijn 2008, their micro-kernel).

A score is one chain of fused multiply-adds over the dimensions, in ascending order, in every
function of this file. It has therefore the same bits whatever the blocks, the threads or the
width of the machine's vectors, which no BLAS promises; ties and ranks rest on that.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import binding, ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from graphrec.core.types import FloatArray

WIDTH = 16 if binding.get_host_cpu_features().get("avx512f") else 8
"""Numbers in a vector."""

ROWS, _VECTORS = (8, 3) if WIDTH == 16 else (4, 3)
COLUMNS = _VECTORS * WIDTH
"""Users and items of a tile: as many sums as the registers hold beside the operands."""

_FLOAT, _INT = ir.FloatType(), ir.IntType(64)
_VECTOR = ir.VectorType(_FLOAT, WIDTH)
_NUMBERS = ir.VectorType(ir.IntType(32), WIDTH)

_Lowering = Callable[[Any, ir.IRBuilder, Any, tuple[ir.Value, ...]], ir.Value]


def _place(builder: ir.IRBuilder, address: ir.Value, offset: ir.Value, kind: ir.Type) -> ir.Value:
    start = builder.gep(builder.inttoptr(address, _FLOAT.as_pointer()), [offset])
    return builder.bitcast(start, kind.as_pointer())


def _load(builder: ir.IRBuilder, address: ir.Value, offset: ir.Value, kind: ir.Type) -> ir.Value:
    value = builder.load(_place(builder, address, offset, kind))
    value.align = 4
    return value


def _spread(builder: ir.IRBuilder, number: ir.Value) -> ir.Value:
    nothing = ir.Constant(_VECTOR, ir.Undefined)
    one = builder.insert_element(nothing, number, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(one, nothing, ir.Constant(_NUMBERS, [0] * WIDTH))


def _fma(builder: ir.IRBuilder, kind: ir.Type, name: str) -> ir.Function:
    return cgutils.get_or_insert_function(builder.module, ir.FunctionType(kind, [kind] * 3), f"llvm.fma.{name}")


@intrinsic  # type: ignore[untyped-decorator]
def multiply(context: Any, user: Any, item: Any, dim: Any, out: Any, stride: Any) -> tuple[Any, _Lowering]:
    """Write the scores of `ROWS` users for `COLUMNS` items at `out`, rows `stride` numbers apart.

    Addresses of contiguous float32: `user` of [dim, ROWS], `item` of [dim, COLUMNS]; dim is at least 1.
    """
    return types.void(*[types.intp] * 5), _lower_multiply


def _lower_multiply(context: Any, builder: ir.IRBuilder, signature: Any, args: tuple[ir.Value, ...]) -> ir.Value:
    user, item, dim, out, stride = args
    fma, before = _fma(builder, _VECTOR, f"v{WIDTH}f32"), builder.block
    body, end = builder.append_basic_block("dimension"), builder.append_basic_block("store")
    builder.branch(body)
    builder.position_at_end(body)
    k, sums = builder.phi(_INT), [builder.phi(_VECTOR) for _ in range(ROWS * _VECTORS)]
    at_item, at_user = builder.mul(k, _INT(COLUMNS)), builder.mul(k, _INT(ROWS))
    items = [_load(builder, item, builder.add(at_item, _INT(v * WIDTH)), _VECTOR) for v in range(_VECTORS)]
    added = []
    for row in range(ROWS):
        value = _spread(builder, _load(builder, user, builder.add(at_user, _INT(row)), _FLOAT))
        added += [builder.call(fma, [value, items[v], sums[row * _VECTORS + v]]) for v in range(_VECTORS)]
    following = builder.add(k, _INT(1))
    for phi, first, later in zip(
        [k, *sums], [_INT(0), *[ir.Constant(_VECTOR, [0.0] * WIDTH)] * len(sums)], [following, *added], strict=True
    ):
        phi.add_incoming(first, before)
        phi.add_incoming(later, body)
    builder.cbranch(builder.icmp_signed("<", following, dim), body, end)
    builder.position_at_end(end)
    for place, value in enumerate(added):
        offset = builder.add(builder.mul(stride, _INT(place // _VECTORS)), _INT(place % _VECTORS * WIDTH))
        builder.store(value, _place(builder, out, offset, _VECTOR)).align = 4
    return context.get_dummy_value()


@intrinsic  # type: ignore[untyped-decorator]
def twice_above(context: Any, scores: Any, size: Any, bound: Any) -> tuple[Any, _Lowering]:
    """Return 2 #(greater than `bound`) + #(equal to it) among `size` > 0 vectors of scores at address `scores`."""
    return types.int64(types.intp, types.intp, types.float32), _lower_twice_above


def _lower_twice_above(context: Any, builder: ir.IRBuilder, signature: Any, args: tuple[ir.Value, ...]) -> ir.Value:
    scores, size, bound = args
    # Two a hit: adding one would become a widened mask and cost an instruction more than a masked sum.
    zero, two = (ir.Constant(_NUMBERS, [number] * WIDTH) for number in (0, 2))
    before, spread = builder.block, _spread(builder, bound)
    body, end = builder.append_basic_block("vector"), builder.append_basic_block("sum")
    builder.branch(body)
    builder.position_at_end(body)
    v, counts = builder.phi(_INT), [builder.phi(_NUMBERS), builder.phi(_NUMBERS)]
    values = _load(builder, scores, builder.mul(v, _INT(WIDTH)), _VECTOR)
    hits = [builder.select(builder.fcmp_ordered(sign, values, spread), two, zero) for sign in (">", ">=")]
    following = [builder.add(v, _INT(1)), *map(builder.add, counts, hits)]
    for phi, first, later in zip([v, *counts], [_INT(0), zero, zero], following, strict=True):
        phi.add_incoming(first, before)
        phi.add_incoming(later, body)
    builder.cbranch(builder.icmp_signed("<", following[0], size), body, end)
    builder.position_at_end(end)
    reduce = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(ir.IntType(32), [_NUMBERS]), f"llvm.vector.reduce.add.v{WIDTH}i32"
    )
    return builder.ashr(builder.sext(builder.call(reduce, [builder.add(*following[1:])]), _INT), _INT(1))


@intrinsic  # type: ignore[untyped-decorator]
def first_above(context: Any, scores: Any, start: Any, size: Any, bound: Any) -> tuple[Any, _Lowering]:
    """Return the first vector of `start`, ..., `size` - 1 with a score greater than `bound`, or `size`."""
    return types.int64(types.intp, types.intp, types.intp, types.float32), _lower_first_above


def _lower_first_above(context: Any, builder: ir.IRBuilder, signature: Any, args: tuple[ir.Value, ...]) -> ir.Value:
    scores, start, size, bound = args
    before, spread = builder.block, _spread(builder, bound)
    names = ("vector", "compare", "next", "found")
    head, body, step, end = (builder.append_basic_block(name) for name in names)
    builder.branch(head)
    builder.position_at_end(head)
    v = builder.phi(_INT)
    builder.cbranch(builder.icmp_signed("<", v, size), body, end)
    builder.position_at_end(body)
    mask = _above(builder, _load(builder, scores, builder.mul(v, _INT(WIDTH)), _VECTOR), spread)
    builder.cbranch(builder.icmp_unsigned("==", mask, mask.type(0)), step, end)
    builder.position_at_end(step)
    following = builder.add(v, _INT(1))
    builder.branch(head)
    v.add_incoming(start, before)
    v.add_incoming(following, step)
    builder.position_at_end(end)
    return v


@intrinsic  # type: ignore[untyped-decorator]
def above(context: Any, scores: Any, bound: Any) -> tuple[Any, _Lowering]:
    """Return which scores of the vector at address `scores` are greater than `bound`, bit 0 for the first."""
    return types.int64(types.intp, types.float32), _lower_above


def _lower_above(context: Any, builder: ir.IRBuilder, signature: Any, args: tuple[ir.Value, ...]) -> ir.Value:
    values = _load(builder, args[0], _INT(0), _VECTOR)
    return builder.zext(_above(builder, values, _spread(builder, args[1])), _INT)


def _above(builder: ir.IRBuilder, values: ir.Value, bounds: ir.Value) -> ir.Value:
    return builder.bitcast(builder.fcmp_ordered(">", values, bounds), ir.IntType(WIDTH))


@intrinsic  # type: ignore[untyped-decorator]
def lowest(context: Any, mask: Any) -> tuple[Any, _Lowering]:
    """Return the position of the lowest bit that is set in a `mask` other than 0."""
    return types.int64(types.int64), _lower_lowest


def _lower_lowest(context: Any, builder: ir.IRBuilder, signature: Any, args: tuple[ir.Value, ...]) -> ir.Value:
    return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))


@intrinsic  # type: ignore[untyped-decorator]
def _add_product(context: Any, a: Any, b: Any, total: Any) -> tuple[Any, _Lowering]:
    return types.float32(*[types.float32] * 3), _lower_add_product


def _lower_add_product(context: Any, builder: ir.IRBuilder, signature: Any, args: tuple[ir.Value, ...]) -> ir.Value:
    return builder.call(_fma(builder, _FLOAT, "f32"), args)


@njit(cache=True, nogil=True, inline="always")  # type: ignore[untyped-decorator]
def dot(user: FloatArray, item: FloatArray) -> float:
    """Return the score of one user for one item, bit for bit what `multiply` writes."""
    total: float = types.float32(0.0)
    for k in range(len(user)):
        total = _add_product(user[k], item[k], total)
    return total
