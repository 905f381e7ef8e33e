"""Every way in which two runs can differ is found and named."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from rich.console import Console

from data.orders import ORDER_SCHEMA
from research.parity import compare_orders

FIRST = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)


def at(minute: int) -> datetime:
    return FIRST + timedelta(minutes=minute)


def orders(**changed: Any) -> pl.DataFrame:
    """Four orders; `changed` replaces values of the second one."""
    rows = [
        {
            "symbol": symbol, "bar_ts_utc": at(minute), "side": side, "qty": qty, "target": target,
            "fill_ts_utc": at(minute + 1), "fill_price": 0.1 + 0.2, "commission": 0.0,
        }
        for symbol, minute, side, qty, target in [
            ("AAA", 3, "buy", 10.0, 1.0), ("AAA", 9, "sell", 10.0, 0.0), ("AAA", 14, "buy", 11.0, 1.0),
            ("BBB", 9, "buy", 7.0, 1.0),
        ]
    ]  # fmt: skip
    rows[1] |= changed
    rows[3] |= {"fill_ts_utc": None, "fill_price": None, "commission": None}
    return pl.DataFrame(rows, schema=ORDER_SCHEMA)


def text(parity: Any) -> str:
    console = Console(width=200, no_color=True)
    with console.capture() as captured:
        console.print(parity)
    return captured.get()


def test_equal_runs_match_order_by_order_unfilled_ones_included() -> None:
    parity = compare_orders(orders(), orders().sample(fraction=1.0, shuffle=True, seed=1))
    assert (parity.research_orders, parity.execution_orders, parity.matched) == (4, 4, 4)
    assert parity.holds
    assert "Parity holds: 4 of 4 research orders matched" in text(parity)


@pytest.mark.parametrize(
    ("cause", "changed"),
    [
        ("side", {"side": "buy"}),
        ("quantity", {"qty": 9.0}),
        ("price", {"fill_price": 0.3}),  # one bit away from 0.1 + 0.2
        ("timing", {"fill_ts_utc": at(11)}),
        ("timing", {"fill_ts_utc": None, "fill_price": None, "commission": None}),
        ("timing", {"bar_ts_utc": at(10), "fill_ts_utc": at(11)}),
        ("commission", {"commission": 0.01}),
    ],
)
def test_a_difference_is_named_by_its_cause(cause: str, changed: dict[str, Any]) -> None:
    parity = compare_orders(orders(), orders(**changed))
    assert not parity.holds
    assert parity.matched == 3
    assert parity.differences.select("symbol", "bar_ts_utc", "cause").rows() == [("AAA", at(9), cause)]
    assert cause in text(parity)


def test_missing_and_extra_orders_are_told_apart() -> None:
    fewer = compare_orders(orders(), orders().filter(pl.col("qty") != 11.0))
    assert fewer.differences["cause"].to_list() == ["missing"]
    assert fewer.differences["execution"].to_list() == [None]
    more = compare_orders(orders().filter(pl.col("qty") != 11.0), orders())
    assert more.differences["cause"].to_list() == ["extra"]
    assert more.differences["research"].to_list() == [None]
    twice = compare_orders(orders(), pl.concat([orders(), orders().tail(1)]))
    assert (twice.matched, twice.differences["cause"].to_list()) == (4, ["extra"])


def test_two_runs_without_orders_prove_nothing() -> None:
    nothing = compare_orders(orders().clear(), orders().clear())
    assert nothing.differences.is_empty()
    assert not nothing.holds
    assert "proves nothing" in text(nothing)


def test_many_differences_are_counted_and_the_first_shown() -> None:
    long = pl.concat([orders().with_columns(pl.col("bar_ts_utc") + timedelta(hours=n)) for n in range(20)])
    parity = compare_orders(long, long.clear())
    assert parity.differences.height == 80
    assert "and 60 more" in text(parity)
