"""Bybit: strings, newest first, errors with HTTP 200; none of it is seen from outside."""

from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest
from bybit_on_loopback import (
    KLINE,
    LINEAR,
    LISTING,
    SPOT,
    candle,
    candles_every,
    enveloped,
    midnight,
    serve_candles,
    serve_listing,
)
from clock_by_hand import HandClock
from vendor_on_loopback import VendorServer, page, raw, told

from data.bar import BAR_SCHEMA
from data.calendars import ROUND_THE_CLOCK
from data.errors import Corrupt, Refused, Unavailable, UsageError
from data.instruments import ACTION_SCHEMA, Instrument
from data.sources import source
from data.sources.bybit import Bybit, BybitSettings

SATURDAY = midnight(2025, 7, 19)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
OLD_ENOUGH = {**SPOT, "launchTime": "1585526400000"}  # no look-up of the first candle


def bybit_of(vendor: VendorServer, hand: HandClock, **changes: Any) -> Bybit:
    settings = BybitSettings.model_validate({"data_url": vendor.url, **changes})
    return Bybit.from_settings(settings, clock=hand.clock())


@pytest.fixture
def bybit(vendor: VendorServer, hand: HandClock) -> Bybit:
    serve_listing(vendor, OLD_ENOUGH)
    return bybit_of(vendor, hand)


def test_bars_come_oldest_first_with_the_average_price_and_no_count(
    vendor: VendorServer, bybit: Bybit
) -> None:
    # The two candles of https://github.com/mirumirumi/ro-soku/issues/3
    later = ["1683472860000", "28959.94", "28970.63", "28940.26", "28945.63", "7.484936", "216697.2440694"]
    first = ["1683472800000", "28961.74", "28971.86", "28954.55", "28959.94", "5.222265", "151241.07920518"]
    serve_candles(vendor, {"1": [first, later]})
    start = midnight(2023, 5, 7) + 15 * timedelta(hours=1) + 20 * MINUTE
    frame = bybit.history(["BTCUSDT"], start, start + 2 * MINUTE, "1m")
    assert frame.schema == BAR_SCHEMA
    assert frame["ts_utc"].to_list() == [start, start + MINUTE]
    assert frame.row(0)[2:7] == (28961.74, 28971.86, 28954.55, 28959.94, 5.222265)
    assert frame["vwap"].to_list() == pytest.approx([28960.8205, 28951.1152], abs=1e-4)
    assert frame["trade_count"].null_count() == 2


def test_an_average_of_next_to_nothing_stays_where_the_trades_were(
    vendor: VendorServer, bybit: Bybit
) -> None:
    tiny = candle(SATURDAY, 100.0, volume="0.000003", turnover="0.0002")
    none = candle(SATURDAY + MINUTE, 100.0, volume="0", turnover="0")
    serve_candles(vendor, {"1": [tiny, none]})
    assert bybit.history(["BTCUSDT"], SATURDAY, SATURDAY + DAY, "1m")["vwap"].to_list() == [99.0, None]


def test_a_long_range_is_read_in_portions_without_a_gap_and_without_a_bar_twice(
    vendor: VendorServer, bybit: Bybit
) -> None:
    serve_candles(vendor, {"1": candles_every(SATURDAY - DAY, 2 * 1_440, MINUTE)})
    frame = bybit.history(["BTCUSDT"], SATURDAY - MINUTE / 2, SATURDAY + DAY, "1m")
    assert frame["ts_utc"].to_list() == [SATURDAY + number * MINUTE for number in range(1_440)]
    asked = [each.query for each in vendor.asked if each.path == KLINE]
    assert [int(each["end"]) - int(each["start"]) + 1 for each in asked] == [60_000_000, 60_000_000]
    assert {each["limit"] for each in asked} == {"1000"}


def test_a_bar_from_before_the_range_is_not_told(vendor: VendorServer, bybit: Bybit) -> None:
    serve_candles(vendor, {"5": candles_every(SATURDAY, 12, 5 * MINUTE)})
    start = SATURDAY + 7 * MINUTE
    times = bybit.history(["BTCUSDT"], start, start + 10 * MINUTE, "5m")["ts_utc"].to_list()
    assert times == [SATURDAY + 10 * MINUTE, SATURDAY + 15 * MINUTE]


@pytest.mark.parametrize(
    ("timeframe", "interval"),
    [("1m", "1"), ("5m", "5"), ("15m", "15"), ("30m", "30"), ("1h", "60"), ("1d", "D")],
)
def test_every_timeframe_leaves_out_what_is_still_forming(
    vendor: VendorServer, timeframe: str, interval: str
) -> None:
    every = {"1": 1, "5": 5, "15": 15, "30": 30, "60": 60, "D": 1_440}[interval] * MINUTE
    hand = HandClock(SATURDAY + 2 * every + timedelta(seconds=1))
    bybit = bybit_of(vendor, hand)
    serve_listing(vendor, OLD_ENOUGH)
    serve_candles(vendor, {interval: candles_every(SATURDAY, 3, every)})
    frame = bybit.history(["BTCUSDT"], SATURDAY, SATURDAY + 10 * DAY, timeframe)
    assert frame["ts_utc"].to_list() == [SATURDAY, SATURDAY + every]


def test_several_symbols_are_sorted_and_none_is_twice(vendor: VendorServer, bybit: Bybit) -> None:
    other = {**OLD_ENOUGH, "symbol": "ETHUSDT"}
    serve_listing(vendor, other, OLD_ENOUGH)
    serve_candles(vendor, {"60": candles_every(SATURDAY, 24, 60 * MINUTE)})
    frame = bybit.history(["ETHUSDT", "BTCUSDT", "ETHUSDT"], SATURDAY, SATURDAY + DAY, "1h")
    assert frame["symbol"].to_list() == ["BTCUSDT"] * 24 + ["ETHUSDT"] * 24


def test_a_range_without_time_asks_nobody(vendor: VendorServer, bybit: Bybit) -> None:
    assert bybit.history(["BTCUSDT"], SATURDAY, SATURDAY, "1m").equals(pl.DataFrame(schema=BAR_SCHEMA))
    assert vendor.asked == []


def test_a_spot_pair_is_listed_since_its_oldest_candle(vendor: VendorServer, hand: HandClock) -> None:
    serve_listing(vendor, SPOT)
    months = [candle(midnight(2021, month, 1)) for month in (7, 8, 9)]
    days = [candle(midnight(2021, 7, day)) for day in (5, 6, 7)]
    serve_candles(vendor, {"M": months, "D": days})
    assert bybit_of(vendor, hand).instrument("BTCUSDT") == Instrument(
        "BTCUSDT", "crypto", ROUND_THE_CLOCK, tick_size=0.01, lot=0.000001, listed=date(2021, 7, 5)
    )


def test_nobody_is_asked_about_time_before_the_listing(vendor: VendorServer, hand: HandClock) -> None:
    bybit = bybit_of(vendor, hand, category="linear")
    serve_listing(vendor, LINEAR)
    launched = midnight(2020, 3, 30)
    serve_candles(vendor, {"D": candles_every(launched, 3, DAY)})
    frame = bybit.history(["BTCUSDT"], midnight(2010, 1, 1), midnight(2020, 4, 2), "1d")
    assert frame["ts_utc"].to_list() == [launched, launched + DAY, launched + 2 * DAY]
    assert [each.path for each in vendor.asked] == [LISTING, KLINE]


def test_a_contract_is_an_instrument_with_its_own_steps(vendor: VendorServer, hand: HandClock) -> None:
    bybit = bybit_of(vendor, hand, category="linear")
    serve_listing(vendor, LINEAR)
    assert bybit.name == "bybit-linear"
    assert bybit.instrument("BTCUSDT") == Instrument(
        "BTCUSDT", "crypto", ROUND_THE_CLOCK, tick_size=0.1, lot=0.001, listed=date(2020, 3, 30)
    )
    assert vendor.asked[0].query == {"category": "linear", "symbol": "BTCUSDT"}


def test_an_instrument_is_looked_up_once(vendor: VendorServer, bybit: Bybit) -> None:
    assert bybit.instrument("BTCUSDT") is bybit.instrument("BTCUSDT")
    assert len(vendor.asked) == 1


def test_coins_have_neither_splits_nor_dividends(vendor: VendorServer, bybit: Bybit) -> None:
    frame = bybit.actions(["BTCUSDT"], date(2025, 7, 1), date(2025, 7, 31))
    assert frame.equals(pl.DataFrame(schema=ACTION_SCHEMA))


@pytest.mark.parametrize(
    "answer",
    [
        told(enveloped({}, 10001, "Not supported symbols")),
        told(enveloped({"category": "spot", "list": []})),
    ],
    ids=["error", "empty"],
)
def test_a_symbol_that_does_not_trade_is_an_error_that_helps(
    vendor: VendorServer, hand: HandClock, answer: Any
) -> None:
    vendor.on(LISTING, answer)
    with pytest.raises(UsageError, match=r"no spot instrument 'NOPE'.*SLIPWAY_BYBIT_CATEGORY=linear"):
        bybit_of(vendor, hand).history(["NOPE"], SATURDAY, SATURDAY + DAY, "1m")
    assert len(vendor.asked) == 1


def test_too_many_visits_wait_until_bybit_counts_anew(
    vendor: VendorServer, hand: HandClock, bybit: Bybit
) -> None:
    limited = enveloped({}, 10006, "Too many visits. Exceeded the API Rate Limit.", now_ms=1_672_738_134_000)
    fine = enveloped({"symbol": "BTCUSDT", "list": [candle(SATURDAY)]})
    vendor.on(KLINE, told(limited, X_Bapi_Limit_Reset_Timestamp="1672738134824"), told(limited), told(fine))
    assert bybit.history(["BTCUSDT"], SATURDAY, SATURDAY + MINUTE, "1m").height == 1
    assert [wait_s for wait_s in hand.slept_s if wait_s > 0.5] == [pytest.approx(0.824), 1.0]


def test_too_many_visits_for_ever_name_the_setting(vendor: VendorServer, bybit: Bybit) -> None:
    vendor.on(KLINE, told(enveloped({}, 10006, "Too many visits!")))
    with pytest.raises(Unavailable, match=r"10006 \(Too many visits!\).*Lower SLIPWAY_BYBIT_REQUESTS_PER_S"):
        bybit.history(["BTCUSDT"], SATURDAY, SATURDAY + MINUTE, "1m")


@pytest.mark.parametrize("code", [10000, 10016, 429])
def test_a_trouble_inside_bybit_is_asked_about_again(vendor: VendorServer, bybit: Bybit, code: int) -> None:
    fine = enveloped({"symbol": "BTCUSDT", "list": [candle(SATURDAY)]})
    vendor.on(KLINE, told(enveloped({}, code, "Server error.")), raw(b"", 502), told(fine))
    assert bybit.history(["BTCUSDT"], SATURDAY, SATURDAY + MINUTE, "1m").height == 1


def test_an_unknown_error_is_told_with_where_to_look(vendor: VendorServer, bybit: Bybit) -> None:
    vendor.on(KLINE, told(enveloped({}, 10017, "Route not found.")))
    with pytest.raises(Unavailable, match=r"its error 10017: Route not found.*docs/v5/error"):
        bybit.history(["BTCUSDT"], SATURDAY, SATURDAY + MINUTE, "1m")
    assert len(vendor.asked) == 2


@pytest.mark.parametrize(
    "answer",
    [
        page("<html><title>403 Forbidden</title>The Amazon CloudFront distribution …</html>", 403),
        told({"retCode": 10009, "retMsg": "Access is unavailable for your region"}),
    ],
)
def test_a_region_that_is_not_served_is_a_refusal_and_not_asked_again(
    vendor: VendorServer, bybit: Bybit, answer: Any
) -> None:
    vendor.on(KLINE, answer)
    with pytest.raises(Refused, match="region"):
        bybit.history(["BTCUSDT"], SATURDAY, SATURDAY + MINUTE, "1m")
    assert len(vendor.asked) == 2


@pytest.mark.parametrize(
    "rows", [[["1"]], [["soon", *"123456"]], [[str(10**30), *"123456"]], [["0", "a", *"23456"]], [[1, 2, 3]]]
)
def test_candles_that_cannot_be_read_are_not_guessed(
    vendor: VendorServer, bybit: Bybit, rows: list[Any]
) -> None:
    vendor.on(KLINE, told(enveloped({"symbol": "BTCUSDT", "list": rows})))
    with pytest.raises(Corrupt, match="cannot be read"):
        bybit.history(["BTCUSDT"], SATURDAY, SATURDAY + MINUTE, "1m")


def test_candles_of_another_symbol_are_not_taken(vendor: VendorServer, bybit: Bybit) -> None:
    vendor.on(KLINE, told(enveloped({"symbol": "ETHUSDT", "list": [candle(SATURDAY)]})))
    with pytest.raises(Corrupt, match="candles of ETHUSDT when asked for BTCUSDT"):
        bybit.history(["BTCUSDT"], SATURDAY, SATURDAY + MINUTE, "1m")


@pytest.mark.parametrize("content", [b"<html></html>", b"{}", b'{"retCode": 0, "result": ', b"[]"])
def test_an_answer_without_an_envelope_is_not_taken_for_no_candles(
    vendor: VendorServer, bybit: Bybit, content: bytes
) -> None:
    vendor.on(KLINE, raw(content))
    with pytest.raises(Corrupt, match=f"{vendor.url}{KLINE}, asked 5 times"):
        bybit.history(["BTCUSDT"], SATURDAY, SATURDAY + MINUTE, "1m")


@pytest.mark.full
def test_bybit_needs_no_keys_and_takes_its_symbols_from_the_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert source("bybit").name == "bybit"
    with pytest.raises(UsageError, match="SLIPWAY_BYBIT_SYMBOLS"):
        source("bybit").symbols()
    monkeypatch.setenv("SLIPWAY_BYBIT_SYMBOLS", "BTCUSDT,ETHUSDT,")
    assert source("bybit").symbols() == ["BTCUSDT", "ETHUSDT"]
