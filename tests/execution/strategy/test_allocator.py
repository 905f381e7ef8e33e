"""A portfolio carried forward instant by instant: arrays of the universe, last known values, restarts."""

import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from gappy_bars import gappy_bars

from data.errors import UsageError
from execution.strategy import Allocator, BarArrays, Ohlcv, Portfolio, Position, price, sma


class Spread(Portfolio):
    """Its weights tell what it was given."""

    def features(self) -> Any:
        return {"close": price("close"), "average": sma("close", 3)}

    @staticmethod
    def allocate(x: Any, positions: Any) -> Any:
        weights = x.close / x.average + positions.size
        for symbol in range(weights.size):
            if positions.bars_held[symbol] > 5.0:
                weights[symbol] = math.nan
        return weights


def bar(close: float) -> Ohlcv:
    return Ohlcv(close, close, close, close, 1.0)


@pytest.mark.full
def test_weights_are_of_the_symbols_that_have_a_bar_in_the_order_of_their_names() -> None:
    allocator = Allocator(Spread(), ["BBB", "AAA"])
    for close in (1.0, 2.0):
        given = allocator.on_bars({"AAA": bar(close), "BBB": bar(1.0)}, {})
        assert np.isnan(list(given.values())).all()  # the averages warm up
    assert allocator.on_bars({"AAA": bar(3.0)}, {}) == {"AAA": 1.5}
    assert allocator.features() == {
        "AAA": {"close": 3.0, "average": 2.0},
        "BBB": {"close": 1.0, "average": pytest.approx(math.nan, nan_ok=True)},
    }
    held = {"BBB": Position(size=10.0), "AAA": Position(bars_held=6.0)}
    given = allocator.on_bars({"AAA": bar(4.0), "BBB": bar(1.0)}, held)
    assert given["BBB"] == 11.0
    assert math.isnan(given["AAA"])


def test_a_restart_remembers_what_every_symbol_was_last() -> None:
    whole = {"AAA": gappy_bars(1), "BBB": gappy_bars(1).part(0, 40)}
    allocator, again = Allocator(Spread(), whole), Allocator(Spread(), whole)
    for at in range(60):
        present = {symbol: bars.bar(at) for symbol, bars in whole.items() if at < len(bars)}
        allocator.on_bars(present, {})
    again.warm({symbol: bars.part(0, 60) for symbol, bars in whole.items()})
    assert again.features() == allocator.features()
    assert again.on_bars({"AAA": whole["AAA"].bar(60)}, {}) == allocator.on_bars(
        {"AAA": whole["AAA"].bar(60)}, {}
    )


def test_history_may_be_a_frame_of_all_symbols() -> None:
    bars = gappy_bars(2)
    parts = [
        pl.DataFrame(
            {
                "symbol": [symbol] * len(bars),
                "ts_utc": pl.Series(bars.ts_us).cast(pl.Datetime("us", "UTC")),
                **{name: getattr(bars, name) for name in ("open", "high", "low", "close", "volume")},
            }
        )
        for symbol in ("AAA", "BTC/USD")
    ]
    allocator = Allocator(Spread(), ["AAA", "BTC/USD"])
    allocator.warm(pl.concat(parts).sort("ts_utc", "symbol"))
    assert allocator.features()["AAA"]["close"] == bars.close[-1]
    assert BarArrays.of(parts[1]).calendar == "24/7"


def test_strangers_and_empty_universes_are_refused() -> None:
    with pytest.raises(UsageError, match="a portfolio has no symbols"):
        Allocator(Spread(), [])
    with pytest.raises(UsageError, match="bars of CCC came to a portfolio of AAA, BBB"):
        Allocator(Spread(), ["AAA", "BBB"]).on_bars({"CCC": bar(1.0)}, {})


def test_a_rule_may_not_write_into_what_it_is_given() -> None:
    class Writing(Spread):
        @staticmethod
        def allocate(x: Any, positions: Any) -> Any:
            weights = x.close
            weights[0] = 0.0
            return weights

    with pytest.raises(
        UsageError, match=r"writes into what it is given: line \d+: Cannot modify .* x\.close\.copy\(\)"
    ):
        Writing()
