"""Sizing, costs and positions are written once: machine code and Python give the same bits."""

import math
import struct
from collections.abc import Callable
from typing import Any

import numba
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import UsageError
from execution.strategy import FLAT, CostModel, Position, compiled
from execution.strategy.costs import commission, fill_price
from execution.strategy.position import position_after_fill, position_at_close
from execution.strategy.sizing import apply_fill, book_equity, order_quantity, round_to_lot

assert compiled  # importing it lets numba call the functions


price = st.floats(0.01, 1e5)
qty = st.integers(-10_000, 10_000).map(float)
money = st.floats(-1e7, 1e7)

CASES: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "round_to_lot": (round_to_lot, (money, st.sampled_from([1.0, 0.001, 100.0]))),
    "order_quantity": (order_quantity, (st.floats(-2, 2), money, price, qty, st.just(1.0))),
    "apply_fill": (apply_fill, (money, qty, qty, price, price)),
    "book_equity": (book_equity, (money, qty, price)),
    "fill_price": (fill_price, (price, qty, st.floats(0, 100))),
    "commission": (commission, (qty, price, st.sampled_from([0.0, 2.5]), st.sampled_from([0.0, 1.0]))),
    "position_after_fill": (
        lambda size, entry, qty, price: position_after_fill(
            Position(size, entry, 3.0, 0.1, entry), qty, price
        ),
        (qty, price, qty, price),
    ),
    "position_at_close": (
        lambda size, entry, close: position_at_close(Position(size, entry, 3.0, 0.1, entry), close),
        (qty, price, price),
    ),
}


def _bits(value: Any) -> bytes:
    values = value if isinstance(value, tuple) else (value,)
    return struct.pack(f"{len(values)}d", *values)


@pytest.mark.full
@pytest.mark.parametrize("name", CASES)
def test_compiled_and_python_agree_bit_for_bit(name: str) -> None:
    function, arguments = CASES[name]
    machine: Any = numba.njit(function)

    @settings(deadline=None)  # the first example compiles
    @given(st.tuples(*arguments))
    def agree(given_values: tuple[float, ...]) -> None:
        assert _bits(machine(*given_values)) == _bits(function(*given_values))

    agree()


def test_lots_round_toward_zero() -> None:
    assert round_to_lot(10.9, 1.0) == 10.0
    assert round_to_lot(-10.9, 1.0) == -10.0
    assert round_to_lot(0.0199, 0.01) == 0.01


def test_an_order_goes_from_what_is_held_to_the_target() -> None:
    assert order_quantity(1.0, 100_000.0, 99.0, 0.0, 1.0) == 1010.0
    assert order_quantity(0.0, 100_000.0, 99.0, 1010.0, 1.0) == -1010.0
    assert order_quantity(-1.0, 100_000.0, 99.0, 1010.0, 1.0) == -2020.0


def test_a_fill_costs_slippage_and_commission_and_cash_may_go_negative() -> None:
    assert fill_price(100.0, 5.0, 10.0) == pytest.approx(100.1)
    assert fill_price(100.0, -5.0, 10.0) == pytest.approx(99.9)
    assert commission(-100.0, 50.0, 0.0, 0.0) == 0.0
    assert commission(-100.0, 50.0, 1.0, 0.0) == pytest.approx(0.5)
    assert commission(-100.0, 50.0, 1.0, 2.0) == 2.0
    assert apply_fill(1000.0, 0.0, 10.0, 101.0, 1.0) == (-11.0, 10.0)


def test_a_cost_model_refuses_nonsense() -> None:
    for bad in (-1.0, math.nan, math.inf):
        with pytest.raises(UsageError, match="Give a number of zero or more"):
            CostModel(slippage_bps=bad)


def test_a_position_averages_in_keeps_its_entry_out_and_starts_anew_through_zero() -> None:
    held = position_after_fill(FLAT, 100.0, 10.0)
    held = position_at_close(held, 12.0)
    assert held == Position(100.0, 10.0, 1.0, pytest.approx(0.2), 12.0)
    held = position_after_fill(held, 100.0, 12.0)
    assert held.average_entry == 11.0
    held = position_at_close(held, 9.0)
    assert (held.bars_held, held.peak) == (2.0, 12.0)
    held = position_after_fill(held, -50.0, 9.0)
    assert (held.size, held.average_entry) == (150.0, 11.0)
    short = position_at_close(position_after_fill(held, -200.0, 9.0), 8.0)
    assert short == Position(-50.0, 9.0, 1.0, pytest.approx(1 / 9), 8.0)
    assert position_after_fill(short, 50.0, 7.0) == FLAT
    assert position_at_close(FLAT, 7.0) == FLAT
