"""Bars from trades: whatever order trades arrive in, within the grace they make the bars that sorting them would."""

import math
from collections import defaultdict
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import HALF_DAY, MINUTE_US, OPEN_US, SECOND_US, grids_of, trade

from data.bar import Bar, Tick
from execution.feeds.building import LATE, OUTSIDE, PARTIAL, BarBuilder
from execution.feeds.contract import FinishedBar
from execution.feeds.grid import Grid

GRACE_US = SECOND_US // 2
FAR_US = OPEN_US + 60 * MINUTE_US

# Seconds after the open, price and size of trades; many fall on a minute's edge, and some on one instant.
trades = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 599_999_999), st.integers(0, 9).map(lambda minute: minute * MINUTE_US)),
        st.floats(0.01, 1e5),
        st.floats(0, 1e6),
    ),
    max_size=60,
)


def builder(symbols: Iterable[str] = ("AAA",), **changes: bool) -> BarBuilder:
    return BarBuilder(grids_of(tuple(symbols)), GRACE_US, OPEN_US, **changes)


def built(of: BarBuilder, ticks: Iterable[Tick], now_us: int = FAR_US) -> list[FinishedBar]:
    told = [bar for tick in ticks for bar in of.add(tick)]
    return told + list(of.advance(now_us))


def naive(ticks: list[Tick]) -> list[Bar]:
    """Sort, group by minute, and look."""
    groups: dict[tuple[str, int], list[Tick]] = defaultdict(list)
    for tick in sorted(ticks, key=lambda tick: tick.ts_us):  # stable: one instant keeps its order
        groups[tick.symbol, (tick.ts_us - OPEN_US) // MINUTE_US].append(tick)
    made = []
    for (symbol, minute), group in sorted(groups.items(), key=lambda item: (item[0][1], item[0][0])):
        prices = [tick.last or math.nan for tick in group]
        volume = math.fsum(tick.last_size or 0.0 for tick in group)
        ts_us = OPEN_US + minute * MINUTE_US
        made.append(Bar(symbol, "1m", ts_us, prices[0], max(prices), min(prices), prices[-1], volume))
    return made


@pytest.mark.full
@settings(max_examples=60, deadline=None)
@given(trades, st.lists(st.integers(0, GRACE_US - 1), min_size=60, max_size=60))
def test_any_order_within_the_grace_gives_the_bars_of_a_naive_group_by(
    told: list[tuple[int, float, float]], delays: list[int]
) -> None:
    ticks = sorted(
        (trade(OPEN_US + at, price, size) for at, price, size in told), key=lambda tick: tick.ts_us
    )
    # Trades of one instant are one delivery, and keep their order on the way.
    late_us = dict(zip(dict.fromkeys(tick.ts_us for tick in ticks), delays, strict=False))
    ordered = sorted(ticks, key=lambda tick: tick.ts_us + late_us[tick.ts_us])
    of = builder()
    assert built(of, ordered) == [FinishedBar(bar) for bar in naive(ticks)]
    assert not of.counted


@pytest.mark.full
@settings(max_examples=30, deadline=None)
@given(trades, st.randoms())
def test_symbols_do_not_disturb_each_other(told: list[tuple[int, float, float]], random: object) -> None:
    symbols = ("AAA", "BBB")
    ticks = [
        trade(OPEN_US + at, price, size, symbols[number % 2]) for number, (at, price, size) in enumerate(told)
    ]
    ticks.sort(key=lambda tick: tick.ts_us)
    together = built(builder(symbols), ticks)
    for symbol in symbols:
        own = [tick for tick in ticks if tick.symbol == symbol]
        assert [told for told in together if told.bar.symbol == symbol] == built(builder([symbol]), own)


def test_a_bar_is_finished_by_a_later_trade_or_by_the_clock_and_not_before_the_grace() -> None:
    by_trade, by_clock = builder(), builder()
    first = trade(OPEN_US, 10.0, 1.0)
    bar = FinishedBar(Bar("AAA", "1m", OPEN_US, 10.0, 10.0, 10.0, 10.0, 1.0))
    for of in (by_trade, by_clock):
        assert list(of.add(first)) == []
    end_us = OPEN_US + MINUTE_US
    assert list(by_trade.add(trade(end_us + GRACE_US - 1, 11.0))) == []
    assert list(by_trade.add(trade(end_us + GRACE_US, 11.0))) == [bar]
    assert list(by_clock.advance(end_us + GRACE_US - 1)) == []
    assert list(by_clock.advance(end_us + GRACE_US)) == [bar]


def test_a_trade_of_a_finished_bar_is_counted_and_what_it_changes_is_called_a_correction() -> None:
    of = builder()
    assert len(built(of, [trade(OPEN_US, 10.0, 1.0)], OPEN_US + 2 * MINUTE_US + GRACE_US)) == 1
    late = list(of.add(trade(OPEN_US + 30 * SECOND_US, 12.0, 2.0)))
    assert late == [FinishedBar(Bar("AAA", "1m", OPEN_US, 10.0, 12.0, 10.0, 12.0, 3.0), corrected=True)]
    assert of.counted == {LATE: 1}
    # A minute in which nobody was heard has no bar that could be corrected, and gets none out of order.
    assert list(of.add(trade(OPEN_US + MINUTE_US, 12.0))) == []
    assert of.counted == {LATE: 2}


def test_no_bar_is_made_up_for_a_quiet_minute_unless_asked_for() -> None:
    ticks = [trade(OPEN_US, 10.0, 5.0), trade(OPEN_US + 3 * MINUTE_US, 11.0, 5.0)]
    opens = [bar.bar.ts_us for bar in built(builder(), ticks, OPEN_US + 6 * MINUTE_US)]
    assert opens == [OPEN_US, OPEN_US + 3 * MINUTE_US]
    filled = [bar.bar for bar in built(builder(fill_quiet=True), ticks, OPEN_US + 6 * MINUTE_US)]
    assert [bar.ts_us for bar in filled] == [OPEN_US + minute * MINUTE_US for minute in range(5)]
    flat = filled[1]
    assert (flat.open, flat.high, flat.low, flat.close, flat.volume) == (10.0, 10.0, 10.0, 10.0, 0.0)
    assert [bar.close for bar in filled] == [10.0, 10.0, 10.0, 11.0, 11.0]


def test_quotes_make_no_bars_but_move_time() -> None:
    of = builder()
    list(of.add(trade(OPEN_US, 10.0)))
    told = list(of.add(Tick("AAA", OPEN_US + 2 * MINUTE_US, bid=9.9, ask=10.1)))
    assert [bar.bar.ts_us for bar in told] == [OPEN_US]


def test_what_trades_outside_every_session_is_in_no_bar() -> None:
    of = builder()
    before_us = OPEN_US - MINUTE_US
    assert built(of, [trade(before_us, 10.0)], OPEN_US + 2 * MINUTE_US) == []
    assert of.counted == {OUTSIDE: 1}


def test_the_last_bar_of_a_half_day_is_finished_at_its_early_close() -> None:
    opened_us, closed_us = HALF_DAY
    of = BarBuilder({"AAA": Grid("XNYS", "1h")}, GRACE_US, opened_us)
    last_us = closed_us - 30 * MINUTE_US  # 9:30 to 13:00 are three hours and a half
    assert list(of.add(trade(closed_us - 1, 10.0, 1.0))) == []
    told = list(of.advance(closed_us + GRACE_US))
    assert [bar.bar.ts_us for bar in told] == [last_us]
    assert list(of.add(trade(closed_us, 99.0))) == []
    assert of.counted == {OUTSIDE: 1}


@pytest.mark.parametrize("into_us", [1, 30 * SECOND_US, MINUTE_US - 1])
def test_a_minute_that_was_heard_in_part_is_never_told(into_us: int) -> None:
    of = builder()
    list(of.add(trade(OPEN_US + 5 * MINUTE_US, 10.0)))
    again_us = OPEN_US + 7 * MINUTE_US + into_us
    of.restart(again_us)
    assert of.whole_from_us("AAA") == OPEN_US + 8 * MINUTE_US
    ticks = [trade(again_us, 11.0), trade(OPEN_US + 8 * MINUTE_US, 12.0)]
    assert [told.bar.ts_us for told in built(of, ticks)] == [OPEN_US + 8 * MINUTE_US]
    assert of.counted == {PARTIAL: 1}
