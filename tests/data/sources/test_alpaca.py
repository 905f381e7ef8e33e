"""Alpaca: its bars become ours, whatever clock it counts by, and its refusals become what to do."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from alpaca_on_loopback import KEY_ID, SECRET, bar, bars_every, pages_of, serve_bars, settings, with_keys
from clock_by_hand import HandClock
from vendor_on_loopback import VendorServer, page, silence, told, truncated

from data.bar import BAR_SCHEMA
from data.calendars import ROUND_THE_CLOCK, sessions
from data.errors import Corrupt, Refused, Unavailable, UsageError
from data.instruments import ACTION_SCHEMA, Instrument
from data.sources import source
from data.sources.alpaca import CHAIN_SCHEMA, Alpaca
from data.sources.http import Patience

STOCKS, CRYPTO, OPTIONS = "/v2/stocks/bars", "/v1beta3/crypto/us/bars", "/v1beta1/options/bars"
CALL, PUT = "SPY261218C00600000", "SPY261218P00600000"
# A summer's Wednesday and Thursday, and the half day after Thanksgiving.
WEDNESDAY, THURSDAY = sessions(date(2025, 7, 16), date(2025, 7, 17))
(HALF_DAY,) = sessions(date(2025, 11, 28), date(2025, 11, 28))
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


@pytest.fixture
def alpaca(vendor: VendorServer, hand: HandClock) -> Alpaca:
    return Alpaca.from_settings(settings(vendor), clock=hand.clock())


def test_bars_come_as_they_are_stored_with_keys_feed_and_no_adjustment(
    vendor: VendorServer, alpaca: Alpaca
) -> None:
    opened = WEDNESDAY.open_utc
    serve_bars(vendor, STOCKS, {"AAPL": [bar(opened, 10.0), bar(opened + MINUTE, 11.0, volume=0.5)]})
    frame = alpaca.history(["AAPL"], opened, WEDNESDAY.close_utc, "1m")
    assert frame.equals(
        pl.DataFrame(
            {
                "symbol": ["AAPL", "AAPL"],
                "ts_utc": [opened, opened + MINUTE],
                "open": [9.5, 10.5],
                "high": [11.0, 12.0],
                "low": [9.0, 10.0],
                "close": [10.0, 11.0],
                "volume": [100.0, 0.5],
                "vwap": [10.25, 11.25],
                "trade_count": [7, 7],
            },
            schema=BAR_SCHEMA,
        )
    )
    (asked,) = vendor.asked
    assert asked.query == {
        "symbols": "AAPL",
        "timeframe": "1Min",
        "start": "2025-07-16T13:30:00Z",
        "end": "2025-07-16T19:59:59.999999Z",
        "limit": "10000",
        "feed": "iex",
        "adjustment": "raw",
    }


def test_every_page_is_read_and_sorted(vendor: VendorServer, alpaca: Alpaca) -> None:
    bars = {name: bars_every(WEDNESDAY.open_utc, 390, 1) for name in ("AAPL", "MSFT", "SPY")}
    serve_bars(vendor, STOCKS, bars, page_size=100)
    frame = alpaca.history(["SPY", "AAPL", "MSFT"], WEDNESDAY.open_utc, WEDNESDAY.close_utc, "1m")
    assert frame.height == 3 * 390
    assert frame.equals(frame.sort("symbol", "ts_utc"))
    assert len(vendor.asked) == 12


def test_a_page_that_breaks_off_is_asked_for_again_and_nothing_is_twice(
    vendor: VendorServer, alpaca: Alpaca
) -> None:
    bars = bars_every(WEDNESDAY.open_utc, 4, 1)
    first = {"bars": {"AAPL": bars[:2]}, "next_page_token": "more"}
    second = {"bars": {"AAPL": bars[2:]}, "next_page_token": None}
    vendor.on(STOCKS, told(first), truncated(second), page("<title>504 Gateway</title>", 504), told(second))
    frame = alpaca.history(["AAPL"], WEDNESDAY.open_utc, WEDNESDAY.close_utc, "1m")
    assert frame["close"].to_list() == [10.0, 11.0, 12.0, 13.0]
    assert [asked.query.get("page_token") for asked in vendor.asked] == [None, "more", "more", "more"]


def test_pages_in_a_circle_have_an_end(vendor: VendorServer, alpaca: Alpaca) -> None:
    vendor.on(STOCKS, *(told({"bars": {}, "next_page_token": token}) for token in ("a", "b", "a")))
    with pytest.raises(Corrupt, match="round in a circle"):
        alpaca.history(["AAPL"], WEDNESDAY.open_utc, WEDNESDAY.close_utc, "1m")
    assert len(vendor.asked) == 3


def test_pages_without_an_end_have_one(
    vendor: VendorServer, alpaca: Alpaca, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("data.sources.alpaca.client.PAGES_MAX", 5)
    vendor.answers(STOCKS, lambda asked: told({"bars": {}, "next_page_token": f"{len(vendor.asked)}"}))
    with pytest.raises(Unavailable, match=r"more after 5 pages.*shorter range"):
        alpaca.history(["AAPL"], WEDNESDAY.open_utc, WEDNESDAY.close_utc, "1m")
    assert len(vendor.asked) == 5


def test_hours_before_and_after_the_session_are_left_out(vendor: VendorServer, alpaca: Alpaca) -> None:
    before, after = WEDNESDAY.open_utc - 5 * HOUR, HALF_DAY.open_utc - 5 * HOUR
    bars = bars_every(before, 16 * 60, 1) + bars_every(after, 16 * 60, 1)
    serve_bars(vendor, STOCKS, {"AAPL": bars})
    long_day = alpaca.history(["AAPL"], WEDNESDAY.open_utc - 5 * HOUR, WEDNESDAY.open_utc + 11 * HOUR, "1m")
    half_day = alpaca.history(["AAPL"], HALF_DAY.open_utc - 5 * HOUR, HALF_DAY.open_utc + 11 * HOUR, "1m")
    assert (long_day.height, long_day["ts_utc"].min()) == (390, WEDNESDAY.open_utc)
    assert (half_day.height, half_day["ts_utc"].max()) == (210, HALF_DAY.close_utc - MINUTE)


def test_nothing_outside_the_range_is_told(vendor: VendorServer, alpaca: Alpaca) -> None:
    serve_bars(vendor, STOCKS, {"AAPL": bars_every(WEDNESDAY.open_utc, 390, 1)})
    start, end = WEDNESDAY.open_utc + 30 * MINUTE, WEDNESDAY.open_utc + 33 * MINUTE
    times = alpaca.history(["AAPL"], start, end, "1m")["ts_utc"].to_list()
    assert times == [start, start + MINUTE, start + 2 * MINUTE]


def test_hours_of_shares_are_counted_from_the_open(vendor: VendorServer, alpaca: Alpaca) -> None:
    before = WEDNESDAY.open_utc - 30 * MINUTE
    serve_bars(vendor, STOCKS, {"AAPL": bars_every(before, 16, 30)})
    frame = alpaca.history(["AAPL"], WEDNESDAY.open_utc, WEDNESDAY.close_utc, "1h")
    assert frame["ts_utc"].to_list() == [WEDNESDAY.open_utc + number * HOUR for number in range(7)]
    assert frame["open"].to_list()[:2] == [10.5, 12.5]
    assert frame["close"].to_list()[:2] == [12.0, 14.0]
    assert frame["volume"].to_list() == [200.0] * 6 + [100.0]
    assert vendor.asked[0].query["timeframe"] == "30Min"


def test_an_hour_is_whole_also_where_the_range_cuts_it(vendor: VendorServer, alpaca: Alpaca) -> None:
    serve_bars(vendor, STOCKS, {"AAPL": bars_every(WEDNESDAY.open_utc, 13, 30)})
    start, end = WEDNESDAY.open_utc + 30 * MINUTE, WEDNESDAY.open_utc + 90 * MINUTE
    (hour,) = alpaca.history(["AAPL"], start, end, "1h").to_dicts()
    assert hour["ts_utc"] == WEDNESDAY.open_utc + HOUR
    assert hour["volume"] == 200.0


def test_days_of_shares_open_with_their_session(vendor: VendorServer, alpaca: Alpaca) -> None:
    midnights = [datetime(2025, 7, day, 4, tzinfo=UTC) for day in (15, 16, 17, 18)]
    winter = datetime(2025, 11, 28, 5, tzinfo=UTC)
    serve_bars(vendor, STOCKS, {"AAPL": [bar(each) for each in (*midnights, winter)]})
    summer = alpaca.history(["AAPL"], WEDNESDAY.open_utc, THURSDAY.close_utc, "1d")
    assert summer["ts_utc"].to_list() == [WEDNESDAY.open_utc, THURSDAY.open_utc]
    half_day = alpaca.history(["AAPL"], HALF_DAY.open_utc, HALF_DAY.close_utc, "1d")
    assert half_day["ts_utc"].to_list() == [HALF_DAY.open_utc]


def test_a_day_without_a_session_asks_nobody(vendor: VendorServer, alpaca: Alpaca) -> None:
    saturday = datetime(2025, 7, 19, tzinfo=UTC)
    assert alpaca.history(["AAPL"], saturday, saturday + 24 * HOUR, "1m").equals(
        pl.DataFrame(schema=BAR_SCHEMA)
    )
    assert alpaca.history([], WEDNESDAY.open_utc, WEDNESDAY.close_utc, "1m").is_empty()
    assert alpaca.history(["AAPL"], WEDNESDAY.close_utc, WEDNESDAY.open_utc, "1m").is_empty()
    assert vendor.asked == []


@pytest.mark.full
@pytest.mark.parametrize(("timeframe", "whole"), [("1m", 45), ("5m", 9), ("30m", 1), ("1h", 0), ("1d", 0)])
def test_a_bar_that_is_still_forming_is_left_out(vendor: VendorServer, timeframe: str, whole: int) -> None:
    hand = HandClock(WEDNESDAY.open_utc + 45 * MINUTE + timedelta(seconds=30))
    alpaca = Alpaca.from_settings(settings(vendor), clock=hand.clock())
    minutes = {"1m": 1, "5m": 5, "30m": 30, "1h": 30, "1d": 24 * 60}[timeframe]
    first = WEDNESDAY.open_utc if timeframe != "1d" else datetime(2025, 7, 16, 4, tzinfo=UTC)
    serve_bars(vendor, STOCKS, {"AAPL": bars_every(first, -(-46 // minutes), minutes)})
    assert alpaca.history(["AAPL"], WEDNESDAY.open_utc, WEDNESDAY.close_utc, timeframe).height == whole


def test_the_short_last_hour_is_finished_at_the_close(vendor: VendorServer) -> None:
    hand = HandClock(WEDNESDAY.close_utc)
    alpaca = Alpaca.from_settings(settings(vendor), clock=hand.clock())
    serve_bars(vendor, STOCKS, {"AAPL": bars_every(WEDNESDAY.open_utc, 13, 30)})
    assert alpaca.history(["AAPL"], WEDNESDAY.open_utc, WEDNESDAY.close_utc, "1h").height == 7


def test_symbols_go_where_their_class_is(vendor: VendorServer, alpaca: Alpaca) -> None:
    at = WEDNESDAY.open_utc
    serve_bars(vendor, STOCKS, {"AAPL": [bar(at)], "BRK.B": [bar(at)]})
    serve_bars(vendor, CRYPTO, {"BTC/USD": [bar(at, 100_000.0, volume=0.01)]})
    serve_bars(vendor, OPTIONS, {CALL: [bar(at, 3.0)]})
    frame = alpaca.history([CALL, "BTC/USD", "BRK.B", "AAPL", "AAPL"], at, at + MINUTE, "1m")
    assert frame["symbol"].to_list() == ["AAPL", "BRK.B", "BTC/USD", CALL]
    queries = {asked.path: asked.query for asked in vendor.asked}
    assert queries[STOCKS]["symbols"] == "BRK.B,AAPL"
    assert "feed" not in queries[CRYPTO]
    assert "adjustment" not in queries[OPTIONS]


def test_crypto_trades_round_the_clock_and_its_day_is_that_of_utc(
    vendor: VendorServer, alpaca: Alpaca
) -> None:
    saturday = datetime(2025, 7, 19, tzinfo=UTC)
    hours = bars_every(saturday, 48, 60)
    hours[3] |= {"v": 0, "n": 0, "vw": 0}  # nobody traded
    serve_bars(vendor, CRYPTO, {"BTC/USD": hours})
    by_hour = alpaca.history(["BTC/USD"], saturday, saturday + 48 * HOUR, "1h")
    by_day = alpaca.history(["BTC/USD"], saturday, saturday + 48 * HOUR, "1d")
    assert by_hour.height == 48
    assert by_hour["vwap"].null_count() == 1
    assert by_day["ts_utc"].to_list() == [saturday, saturday + 24 * HOUR]
    assert by_day["volume"].to_list() == [2_300.0, 2_400.0]
    assert {asked.query["timeframe"] for asked in vendor.asked} == {"1Hour"}


def test_many_symbols_are_asked_for_in_portions(vendor: VendorServer, alpaca: Alpaca) -> None:
    names = [f"S{number:03}" for number in range(250)]
    serve_bars(vendor, STOCKS, {name: [bar(WEDNESDAY.open_utc)] for name in names})
    frame = alpaca.history(names, WEDNESDAY.open_utc, WEDNESDAY.close_utc, "1m")
    assert frame["symbol"].to_list() == names
    assert [len(asked.query["symbols"].split(",")) for asked in vendor.asked] == [100, 100, 50]


def test_bars_that_nobody_asked_for_are_not_taken(vendor: VendorServer, alpaca: Alpaca) -> None:
    vendor.on(STOCKS, told({"bars": {"MSFT": [bar(WEDNESDAY.open_utc)]}, "next_page_token": None}))
    with pytest.raises(Corrupt, match="MSFT, which nobody asked for"):
        alpaca.history(["AAPL"], WEDNESDAY.open_utc, WEDNESDAY.close_utc, "1m")


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({}, "alpaca"),
        ({"adjustment": "split"}, "alpaca-split"),
        ({"feed": "sip"}, "alpaca-sip"),
        ({"feed": "sip", "adjustment": "all"}, "alpaca-sip-all"),
    ],
)
def test_other_numbers_are_another_dataset(
    vendor: VendorServer, hand: HandClock, changes: dict[str, str], name: str
) -> None:
    alpaca = Alpaca.from_settings(settings(vendor, **changes), clock=hand.clock())
    serve_bars(vendor, STOCKS, {})
    alpaca.history(["AAPL"], WEDNESDAY.open_utc, WEDNESDAY.close_utc, "1m")
    assert alpaca.name == name
    assert {key: vendor.asked[0].query[key] for key in changes} == changes


def test_splits_and_dividends_take_effect_on_their_ex_date(vendor: VendorServer, alpaca: Alpaca) -> None:
    split = {
        "symbol": "SRE",
        "ex_date": "2023-08-22",
        "process_date": "2023-08-22",
        "new_rate": 2,
        "old_rate": 1,
    }
    merged = {**split, "symbol": "MNTS", "ex_date": "2023-08-24", "new_rate": 1, "old_rate": 50}
    shares = {"symbol": "MSBC", "ex_date": "2023-08-21", "process_date": "2023-08-21", "rate": 0.05}
    cash = {"symbol": "SRE", "ex_date": "2023-08-22", "process_date": "2023-10-15", "rate": 0.125, "id": "x"}
    outside = {**cash, "ex_date": "2023-09-01"}
    bodies: list[dict[str, Any]] = [
        {"corporate_actions": {"forward_splits": [split], "reverse_splits": [merged]}},
        {
            "corporate_actions": {
                "stock_dividends": [shares],
                "cash_dividends": [cash, outside],
                "spin_offs": [{}],
            }
        },
    ]
    vendor.answers("/v1/corporate-actions", pages_of(bodies))
    first, last = date(2023, 8, 21), date(2023, 8, 25)
    frame = alpaca.actions(["SRE", "MNTS", "MSBC", "BTC/USD", CALL], first, last)
    assert frame.schema == ACTION_SCHEMA
    assert frame.rows() == [
        ("MNTS", date(2023, 8, 24), "split", 0.02, None),
        ("MSBC", date(2023, 8, 21), "split", 1.05, None),
        ("SRE", date(2023, 8, 22), "dividend", None, 0.125),
        ("SRE", date(2023, 8, 22), "split", 2.0, None),
    ]
    asked = vendor.asked[0].query
    assert asked["symbols"] == "SRE,MNTS,MSBC"
    # A dividend is found by the day on which it is paid, which may be months later.
    assert date.fromisoformat(asked["end"]) > date(2023, 12, 31)


def test_coins_have_no_splits_and_nobody_is_asked(vendor: VendorServer, alpaca: Alpaca) -> None:
    frame = alpaca.actions(["BTC/USD"], date(2023, 8, 21), date(2023, 8, 25))
    assert frame.equals(pl.DataFrame(schema=ACTION_SCHEMA))
    assert vendor.asked == []


def test_instruments_are_looked_up(vendor: VendorServer, alpaca: Alpaca) -> None:
    share = {
        "id": "b0b6dd9d",
        "class": "us_equity",
        "exchange": "NYSE",
        "symbol": "BRK.B",
        "status": "active",
    }
    coin = {
        "class": "crypto",
        "symbol": "BTC/USD",
        "price_increment": "0.01",
        "min_trade_increment": "0.0001",
    }
    contract = {"symbol": CALL, "underlying_symbol": "SPY", "multiplier": "100", "tradable": True}
    vendor.answers("/v2/assets/BRK.B", with_keys(lambda _: told(share)))
    vendor.on("/v2/assets/BTC%2FUSD", told(coin))
    vendor.on(f"/v2/options/contracts/{CALL}", told(contract))
    assert alpaca.instrument("BRK.B") == Instrument("BRK.B")
    bitcoin = Instrument("BTC/USD", "crypto", ROUND_THE_CLOCK, tick_size=0.01, lot=0.0001)
    assert alpaca.instrument("BTC/USD") == bitcoin
    call = alpaca.instrument(CALL)
    assert (call.underlying, call.expiry, call.strike, call.right, call.multiplier) == (
        "SPY",
        date(2026, 12, 18),
        600.0,
        "call",
        100.0,
    )


@pytest.mark.parametrize("symbol", ["ZZZZ", "DOGE/EUR", CALL])
def test_an_instrument_that_does_not_exist_is_an_error_that_helps(
    vendor: VendorServer, alpaca: Alpaca, symbol: str
) -> None:
    with pytest.raises(UsageError, match=rf"no instrument '{symbol}'.*BTC/USD"):
        alpaca.instrument(symbol)


def test_what_slipway_does_not_trade_is_said(vendor: VendorServer, alpaca: Alpaca) -> None:
    vendor.on("/v2/assets/BTC-PERP", told({"class": "crypto_perp", "symbol": "BTC-PERP"}))
    with pytest.raises(UsageError, match="is crypto_perp at Alpaca, which Slipway does not trade"):
        alpaca.instrument("BTC-PERP")


def test_a_chain_has_every_contract_with_quote_and_greeks(vendor: VendorServer, alpaca: Alpaca) -> None:
    quoted = {
        "latestQuote": {"t": "2026-02-28T15:30:28.046330624Z", "bp": 0.15, "bs": 164, "bx": "W"}
        | {"ap": 0.16, "as": 669, "ax": "w", "c": "A"},
        "latestTrade": {"t": "2026-02-28T15:03:44.56339456Z", "p": 0.37, "s": 1, "x": "B", "c": "I"},
        "impliedVolatility": 0.3372405712050441,
        "greeks": {"delta": 0.42, "gamma": 0.01, "rho": 0.2, "theta": -0.05, "vega": 0.3},
    }
    bodies = [{"snapshots": {PUT: {"latestTrade": quoted["latestTrade"]}}}, {"snapshots": {CALL: quoted}}]
    vendor.answers("/v1beta1/options/snapshots/SPY", pages_of(bodies))
    frame = alpaca.chain("SPY", expiry_from=date(2026, 12, 1), expiry_until=date(2026, 12, 31))
    assert frame.schema == CHAIN_SCHEMA
    call, put = frame.to_dicts()
    assert call == {
        "symbol": CALL,
        "underlying": "SPY",
        "expiry": date(2026, 12, 18),
        "strike": 600.0,
        "right": "call",
        "bid": 0.15,
        "ask": 0.16,
        "last": 0.37,
        "bid_size": 164.0,
        "ask_size": 669.0,
        "implied_volatility": 0.3372405712050441,
        "delta": 0.42,
        "gamma": 0.01,
        "theta": -0.05,
        "vega": 0.3,
        "rho": 0.2,
        "ts_utc": datetime(2026, 2, 28, 15, 30, 28, 46331, tzinfo=UTC),
    }
    assert (put["symbol"], put["right"], put["last"], put["bid"], put["delta"]) == (
        PUT,
        "put",
        0.37,
        None,
        None,
    )
    first = vendor.asked[0].query
    assert first == {
        "limit": "1000",
        "expiration_date_gte": "2026-12-01",
        "expiration_date_lte": "2026-12-31",
    }


def test_a_chain_of_one_right_asks_for_that_one(vendor: VendorServer, alpaca: Alpaca) -> None:
    vendor.answers("/v1beta1/options/snapshots/SPY", pages_of([{"snapshots": {}}]))
    assert alpaca.chain("SPY", right="put").equals(pl.DataFrame(schema=CHAIN_SCHEMA))
    assert vendor.asked[0].query == {"limit": "1000", "type": "put"}


def test_without_keys_the_settings_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_ALPACA_KEY_ID", KEY_ID)
    with pytest.raises(UsageError, match=r"SLIPWAY_ALPACA_KEY_ID and SLIPWAY_ALPACA_SECRET"):
        source("alpaca")


def test_keys_that_are_none_are_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_ALPACA_KEY_ID", KEY_ID)
    monkeypatch.setenv("SLIPWAY_ALPACA_SECRET", "pässword")
    with pytest.raises(UsageError, match=r"SLIPWAY_ALPACA_SECRET does not look like a key") as caught:
        source("alpaca")
    assert "pässword" not in repr(caught.value)


def test_the_wrong_keys_are_refused_with_what_to_check(vendor: VendorServer, hand: HandClock) -> None:
    alpaca = Alpaca.from_settings(settings(vendor, secret="wrong-secret"), clock=hand.clock())
    serve_bars(vendor, STOCKS, {})
    with pytest.raises(
        Refused, match=r"HTTP 401: 401 Authorization Required.*SLIPWAY_ALPACA_KEY_ID"
    ) as caught:
        alpaca.history(["AAPL"], WEDNESDAY.open_utc, WEDNESDAY.close_utc, "1m")
    assert len(vendor.asked) == 1
    assert "wrong-secret" not in repr(caught.value) + repr(alpaca) + repr(vars(alpaca))
    assert SECRET not in repr(settings(vendor))


def test_a_plan_that_is_too_small_is_said_with_the_way_out(vendor: VendorServer, alpaca: Alpaca) -> None:
    vendor.on(STOCKS, told({"message": "subscription does not permit querying recent SIP data"}, 403))
    with pytest.raises(Refused, match=r"recent SIP data.*SLIPWAY_ALPACA_FEED=iex"):
        alpaca.history(["AAPL"], WEDNESDAY.open_utc, WEDNESDAY.close_utc, "1m")


def test_a_question_that_alpaca_does_not_take_is_told_in_its_words(
    vendor: VendorServer, alpaca: Alpaca
) -> None:
    vendor.on(STOCKS, told({"code": 42210000, "message": "invalid symbol: A_B"}, 422))
    with pytest.raises(UsageError, match=r"HTTP 422: invalid symbol: A_B"):
        alpaca.history(["A_B"], WEDNESDAY.open_utc, WEDNESDAY.close_utc, "1m")


@pytest.mark.parametrize("body", [{}, {"status": "ok"}, {"bars": [], "next_page_token": None}, {"bars": {}}])
def test_an_answer_that_is_no_page_of_bars_is_not_taken_for_no_bars(
    vendor: VendorServer, alpaca: Alpaca, body: dict[str, object]
) -> None:
    vendor.on(STOCKS, told(body))
    with pytest.raises(Corrupt, match=rf"{vendor.url}{STOCKS}, asked 5 times"):
        alpaca.history(["AAPL"], WEDNESDAY.open_utc, WEDNESDAY.close_utc, "1m")


@pytest.mark.full
def test_an_alpaca_that_never_answers_is_an_outage(vendor: VendorServer, hand: HandClock) -> None:
    patience = Patience(read_s=0.1, request_s=0.2, tries=2)
    alpaca = Alpaca.from_settings(settings(vendor), patience=patience, clock=hand.clock())
    vendor.on(STOCKS, silence)
    with pytest.raises(Unavailable, match="SLIPWAY_ALPACA_DATA_URL"):
        alpaca.history(["AAPL"], WEDNESDAY.open_utc, WEDNESDAY.close_utc, "1m")


def test_alpacas_limit_is_kept(vendor: VendorServer, hand: HandClock) -> None:
    alpaca = Alpaca.from_settings(settings(vendor, requests_per_min=10), clock=hand.clock())
    serve_bars(vendor, STOCKS, {"AAPL": bars_every(WEDNESDAY.open_utc, 30, 1)}, page_size=1)
    alpaca.history(["AAPL"], WEDNESDAY.open_utc, WEDNESDAY.close_utc, "1m")
    assert len(vendor.asked) == 30
    assert hand.passed_s >= 3 * 60.0


@pytest.mark.parametrize("typed", ["AAPL, BTC/USD", '["AAPL", "BTC/USD"]'])
def test_symbols_are_those_of_the_settings(
    vendor: VendorServer, monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    monkeypatch.setenv("SLIPWAY_ALPACA_KEY_ID", KEY_ID)
    monkeypatch.setenv("SLIPWAY_ALPACA_SECRET", f"{SECRET}\n")
    monkeypatch.setenv("SLIPWAY_ALPACA_DATA_URL", vendor.url)
    monkeypatch.setenv("SLIPWAY_ALPACA_SYMBOLS", typed)
    assert source("alpaca").symbols() == ["AAPL", "BTC/USD"]


def test_without_named_symbols_the_setting_is_named(alpaca: Alpaca) -> None:
    with pytest.raises(UsageError, match="SLIPWAY_ALPACA_SYMBOLS to a list like AAPL,MSFT,BTC/USD"):
        alpaca.symbols()


def test_questions_that_make_no_sense_ask_nobody(vendor: VendorServer, alpaca: Alpaca) -> None:
    start, end = WEDNESDAY.open_utc, WEDNESDAY.close_utc
    with pytest.raises(UsageError, match="no timeframe '2h'"):
        alpaca.history(["AAPL"], start, end, "2h")
    with pytest.raises(UsageError, match="is not a symbol"):
        alpaca.history(["aapl"], start, end, "1m")
    with pytest.raises(UsageError, match="without a time zone"):
        alpaca.history(["AAPL"], start.replace(tzinfo=None), end, "1m")
    assert vendor.asked == []
