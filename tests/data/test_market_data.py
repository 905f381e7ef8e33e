"""What an entry of a market data stream says to whom."""

from data.bar import Bar, Tick, decode_bar, decode_tick
from data.market_data import BAR, CORRECTION, TICK, Fields, bar_entry, correction_entry, price_in, tick_entry

TOLD = Bar("AAA", "1m", 1_000_000, 10.0, 12.0, 9.5, 11.0, 300.0)
TRADE = Tick("AAA", 2_000_000, last=11.5, last_size=3.0, trade_id="V:7")
QUOTE = Tick("AAA", 3_000_000, bid=11.4, ask=11.6, bid_size=1.0, ask_size=2.0)


def as_read(entry: Fields) -> dict[bytes, bytes]:
    """As Redis gives it back."""
    return {
        str(name).encode(): value if isinstance(value, bytes) else str(value).encode()
        for name, value in entry.items()
    }


def test_bars_and_ticks_arrive_as_they_were_sent() -> None:
    assert decode_bar(as_read(bar_entry(TOLD, "x", 7))[BAR.encode()]) == TOLD
    for tick in (TRADE, QUOTE):
        assert decode_tick(as_read(tick_entry(tick, "x"))[TICK.encode()]) == tick


def test_a_correction_is_never_taken_for_a_bar() -> None:
    assert BAR not in correction_entry(TOLD, "x")
    assert decode_bar(as_read(correction_entry(TOLD, "x"))[CORRECTION.encode()]) == TOLD


def test_bars_and_trades_tell_a_price_and_quotes_and_corrections_do_not() -> None:
    assert price_in(as_read(bar_entry(TOLD, "x"))) == (1_000_000, 11.0)
    assert price_in(as_read(tick_entry(TRADE, "x"))) == (2_000_000, 11.5)
    assert price_in(as_read(tick_entry(QUOTE, "x"))) is None
    assert price_in(as_read(correction_entry(TOLD, "x"))) is None
