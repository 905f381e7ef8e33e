"""Bad questions get Alpaca's 400, and the routes that alpaca-py does not use answer as documented."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests as http
from exchange_process import OPEN_US, Tape, bar

from data.sources.alpaca import Alpaca, AlpacaDataSettings
from execution.exchange.ticks import Tick


def ask(tape: Tape, path: str, **headers: str) -> tuple[int, Any]:
    keys = {"APCA-API-KEY-ID": tape.keys.key_id, "APCA-API-SECRET-KEY": tape.keys.secret_key}
    answer = http.get(tape.url + path, headers={**keys, **headers}, timeout=5)
    return answer.status_code, answer.json()


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/v2/stocks/bars?timeframe=1Min", "symbols is required"),
        ("/v2/stocks/bars?symbols=a+b&timeframe=1Min", "invalid symbol: a b"),
        ("/v2/stocks/bars?symbols=BTC/USD&timeframe=1Min", "invalid symbol: BTC/USD"),
        ("/v2/stocks/A,B/bars?timeframe=1Min", "invalid symbol: A,B"),
        ("/v2/stocks/bars?symbols=A", "invalid timeframe: "),
        ("/v2/stocks/bars?symbols=A&timeframe=60Min", "invalid timeframe: 60Min"),
        ("/v2/stocks/bars?symbols=A&timeframe=2Day", "invalid timeframe: 2Day"),
        (
            "/v2/stocks/bars?symbols=A&timeframe=1Min&limit=0",
            "invalid limit: limit must be between 1 and 10000",
        ),
        ("/v2/stocks/bars?symbols=A&timeframe=1Min&limit=x", "invalid limit: x"),
        ("/v2/stocks/bars?symbols=A&timeframe=1Min&start=soon", "Invalid format for parameter start: soon"),
        (
            "/v2/stocks/bars?symbols=A&timeframe=1Min&end=9999-01-01",
            "Invalid format for parameter end: 9999-01-01",
        ),
        ("/v2/stocks/bars?symbols=A&timeframe=1Min&sort=up", "invalid sort: up"),
        ("/v2/stocks/bars?symbols=A&timeframe=1Min&page_token=x", "invalid page_token"),
        ("/v2/stocks/bars?symbols=A&timeframe=1Min&adjustment=none", "invalid adjustment: none"),
        ("/v2/stocks/bars?symbols=A&timeframe=1Min&asof=never", "invalid asof: never"),
        ("/v2/stocks/quotes?symbols=A&feed=moon", "invalid feed: moon"),
        ("/v2/stocks/trades/latest?symbols=A&currency=EUR", "invalid currency: EUR"),
        ("/v1beta3/crypto/mars/bars?symbols=A/B&timeframe=1Min", "Invalid location: mars"),
        ("/v1beta3/crypto/us/latest/quotes?symbols=A", "invalid symbol: A"),
    ],
)
def test_a_bad_question_is_a_400_that_says_which_part(tape: Tape, path: str, message: str) -> None:
    assert ask(tape, path) == (400, {"message": message})


@pytest.mark.parametrize("path", ["/v2/stocks/bars?symbols=A", "/v2/stocks/A/snapshot", "/sim/streams"])
def test_without_keys_there_is_no_market(tape: Tape, path: str) -> None:
    assert ask(tape, path, **{"APCA-API-SECRET-KEY": "wrong"})[0] == 401


def test_one_symbol_has_routes_of_its_own(tape: Tape) -> None:
    stamp = "2025-11-11T14:30:00Z"
    for kind in ("bar", "quote", "trade"):
        assert ask(tape, f"/v2/stocks/AAA/{kind}s/latest") == (404, {"message": f"no {kind} found for AAA"})
    assert ask(tape, "/v2/stocks/AAA/snapshot") == (404, {"message": "no snapshot found for AAA"})
    tape.move(100.0)
    tape.control.post_ticks([Tick("AAA", OPEN_US, 99.5, 100.5, 100.25, 3, 4, 7)])
    told = {"t": stamp, "o": 100.0, "h": 101.0, "l": 99.0, "c": 100.0, "v": 1000, "n": 0, "vw": 0}
    page = {"bars": [told], "symbol": "AAA", "next_page_token": None}
    assert ask(tape, "/v2/stocks/AAA/bars?timeframe=1T") == (200, page)
    assert ask(tape, "/v2/stocks/AAA/bars/latest") == (200, {"symbol": "AAA", "bar": told})
    status, quote = ask(tape, "/v2/stocks/AAA/quotes/latest")
    assert status == 200
    assert quote["quote"] == {
        "t": stamp, "bp": 99.5, "bs": 3, "ap": 100.5, "as": 4, "bx": "V", "ax": "V", "c": ["R"], "z": "C",
    }  # fmt: skip
    status, snapshot = ask(tape, "/v2/stocks/AAA/snapshot")
    assert status == 200
    assert set(snapshot) == {"symbol", "latestTrade", "latestQuote", "minuteBar", "dailyBar"}
    assert snapshot["latestTrade"]["p"] == 100.25
    assert ask(tape, "/v2/stocks/AAA/trades?limit=1")[1]["trades"] == [snapshot["latestTrade"]]


def test_our_own_client_of_alpaca_reads_it_too(tape: Tape) -> None:
    for minute in range(3):
        tape.control.post_bars([bar(minute, 100.0 + minute), bar(minute, 50.0, "BTC/USD")])
    settings = AlpacaDataSettings.model_validate(
        {
            "key_id": tape.keys.key_id,
            "secret": tape.keys.secret_key,
            "data_url": tape.url,
            "trading_url": tape.url,
        }
    )
    start = datetime(2025, 11, 11, 14, 30, tzinfo=UTC)
    frame = Alpaca.from_settings(settings).history(
        ["AAA", "BTC/USD"], start, start + timedelta(minutes=3), "1m"
    )
    assert frame["close"].to_list() == [100.0, 101.0, 102.0, 50.0, 50.0, 50.0]
    assert frame["vwap"].to_list() == [None] * 6
