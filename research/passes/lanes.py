"""The few loops of a pass that are written out for wide registers, as instructions for LLVM.

A compiler may reorder a sum to use wide registers, but then every width gives other last bits.  Here the order is
written down, so that every processor gets the same numbers: bar j adds to lane j mod 4, the lanes are added up in one
fixed tree, and LLVM maps the lanes to whatever registers there are.
"""

from typing import Any, Final

import numba
import numpy as np
from llvmlite import ir
from numba import extending, types
from numba.core import cgutils

LANES: Final = 4
"""Measured here, registers being that wide: eight lanes spill them and take a tenth longer."""

WORD: Final = 64
"""Marks in a word."""

# numba's and LLVM's Python interfaces are typed in part only.
_instructions: Any = extending.intrinsic
_compiled: Any = numba.njit(nogil=True, error_model="numpy", forceinline=True)

_DOUBLE: Final = ir.DoubleType()
_INT: Final = ir.IntType(64)
_VECTOR: Final = ir.VectorType(_DOUBLE, LANES)
_ZEROS: Final = ir.Constant(_VECTOR, [0.0] * LANES)
_ONES: Final = ir.Constant(_VECTOR, [1.0] * LANES)
_LOWEST: Final = ir.Constant(_VECTOR, [-np.inf] * LANES)
_HIGHEST: Final = ir.Constant(_VECTOR, [np.inf] * LANES)


@_instructions
def _fold_lanes(_typing: Any, close: Any, first: Any, last: Any, cash: Any, shares: Any) -> Any:
    """`fold_held`, for a stretch that ends at least LANES bars after the array begins."""
    result: Any = types.UniTuple(types.float64, 6)
    return result(close, types.intp, types.intp, types.float64, types.float64), _fold_lanes_code


def _fold_lanes_code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    prices, first, last, cash, shares = arguments
    data = context.make_array(signature.args[0])(context, builder, prices).data
    cash, shares = _spread(builder, cash), _spread(builder, shares)
    kept = [
        cgutils.alloca_once_value(builder, each)
        for each in (_ZEROS, _ZEROS, _ZEROS, _ZEROS, _LOWEST, _HIGHEST)
    ]

    def worth(bar: Any) -> Any:
        close = builder.load(builder.bitcast(builder.gep(data, [bar]), _VECTOR.as_pointer()), align=8)
        return builder.fadd(cash, builder.fmul(shares, close))

    def take_in(bar: Any, wanted: Any) -> None:
        """The lanes of four bars; `wanted(value, otherwise)` says what of them counts."""
        equity, before = worth(bar), worth(builder.sub(bar, ir.Constant(_INT, 1)))
        change = builder.fsub(builder.fdiv(equity, before), _ONES)
        square = builder.fmul(change, change)
        loss = builder.select(builder.fcmp_ordered("<", change, _ZEROS), square, _ZEROS)
        for place, value in zip(kept[:4], (change, square, loss, equity), strict=True):
            builder.store(builder.fadd(builder.load(place), wanted(value, _ZEROS)), place)
        for place, sign, never in zip(kept[4:], "><", (_LOWEST, _HIGHEST), strict=True):
            builder.store(_further(builder, sign)(builder.load(place), wanted(equity, never)), place)

    lanes = ir.Constant(_INT, LANES)
    count = builder.sub(last, first)
    with cgutils.for_range(builder, builder.sdiv(count, lanes)) as loop:
        take_in(builder.add(first, builder.mul(loop.index, lanes)), lambda value, _: value)
    # What is left over are the last lanes of the last four bars: no loop whose end a processor has to guess.
    number = ir.Constant(ir.VectorType(_INT, LANES), list(range(LANES)))
    skipped = builder.sub(lanes, builder.srem(count, lanes))
    left = builder.icmp_signed(">=", number, _spread(builder, skipped))
    take_in(builder.sub(last, lanes), lambda value, otherwise: builder.select(left, value, otherwise))
    joins = [builder.fadd] * 4 + [_further(builder, ">"), _further(builder, "<")]
    told = [_tree(builder, builder.load(place), join) for place, join in zip(kept, joins, strict=True)]
    return context.make_tuple(builder, signature.return_type, told)


def _further(builder: Any, sign: str) -> Any:
    return lambda a, b: builder.select(builder.fcmp_ordered(sign, b, a), b, a)


def _spread(builder: Any, value: Any) -> Any:
    vector = ir.VectorType(value.type, LANES)
    lane = builder.insert_element(ir.Constant(vector, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
    everywhere = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(lane, ir.Constant(vector, ir.Undefined), everywhere)


def _tree(builder: Any, vector: Any, join: Any) -> Any:
    """(0 2) (1 3): the halves of the vector joined, then their halves."""
    lanes = [builder.extract_element(vector, ir.Constant(ir.IntType(32), lane)) for lane in range(LANES)]
    while len(lanes) > 1:
        half = len(lanes) // 2
        lanes = [join(lanes[lane], lanes[lane + half]) for lane in range(half)]
    return lanes[0]


@_instructions
def changes(_typing: Any, targets: Any, first: Any) -> Any:
    """A word with a bit for each of targets[first : first + 64] that is a number and not the one before it."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        word = ir.Constant(_INT, 0)
        for group in range(WORD // LANES):
            at = builder.gep(data, [builder.add(arguments[1], ir.Constant(_INT, group * LANES))])
            before = builder.gep(at, [ir.Constant(_INT, -1)])
            given, earlier = (
                builder.load(builder.bitcast(pointer, _VECTOR.as_pointer()), align=8)
                for pointer in (at, before)
            )
            changed = builder.and_(
                builder.fcmp_ordered("ord", given, given), builder.fcmp_unordered("!=", given, earlier)
            )
            bits = builder.zext(builder.bitcast(changed, ir.IntType(LANES)), _INT)
            word = builder.or_(word, builder.shl(bits, ir.Constant(_INT, group * LANES)))
        return word

    return types.uint64(targets, types.intp), code


@_instructions
def lowest_bit(_typing: Any, word: Any) -> Any:
    """The number of the lowest bit of a word that is not zero."""

    def code(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.intp(types.uint64), code


@_instructions
def borrowed(_typing: Any, array: Any) -> Any:
    """The same array, whose references nobody counts: somebody else keeps it alive.

    numba counts a reference for every array argument of every call, by atomic instructions that two cores contend for.
    """

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        made = context.make_array(signature.args[0])(context, builder, arguments[0])
        for owner in ("meminfo", "parent"):
            field = getattr(made, owner)
            setattr(made, owner, ir.Constant(field.type, None))
        return made._getvalue()

    return array(array), code


@_instructions
def fetch(_typing: Any, array: Any, first: Any, last: Any) -> Any:
    """Ask for array[first:last] to be brought into the cache, and do not wait for it."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        numbers, first, last = arguments
        data = context.make_array(signature.args[0])(context, builder, numbers).data
        pointer = ir.IntType(8).as_pointer()
        prefetch = builder.module.declare_intrinsic(
            "llvm.prefetch", [pointer], ir.FunctionType(ir.VoidType(), [pointer, *[ir.IntType(32)] * 3])
        )
        with cgutils.for_range_slice(builder, first, last, ir.Constant(_INT, 8), intp=_INT) as (place, _):
            at = builder.bitcast(builder.gep(data, [place]), pointer)
            builder.call(prefetch, [at, *(ir.Constant(ir.IntType(32), each) for each in (0, 2, 1))])
        return context.get_dummy_value()

    return types.none(array, types.intp, types.intp), code


@_compiled
def fold_held(
    close: Any, first: int, last: int, cash: float, shares: float
) -> tuple[float, float, float, float, float, float]:
    """(returns, their squares, squares of negative ones, equity) added up, highest and lowest equity.

    Of a book that holds `shares` and `cash` over the closes from `first` to before `last`, and did so before `first`.
    """
    if last > LANES:
        return _fold_lanes(close, first, last, cash, shares)
    total, squares, downside, added, high, low = 0.0, 0.0, 0.0, 0.0, -np.inf, np.inf
    before = cash + shares * close[first - 1]
    for bar in range(first, last):
        equity = cash + shares * close[bar]
        change = equity / before - 1.0
        total += change
        squares += change * change
        downside += change * change if change < 0.0 else 0.0
        added += equity
        high = max(high, equity)
        low = min(low, equity)
        before = equity
    return total, squares, downside, added, high, low
