"""The contract: alpaca-py's data clients and streams, unmodified, read an account's tape as they read Alpaca's."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from alpaca_data import (
    Adjustment,
    APIError,
    CryptoDataStream,
    CryptoHistoricalDataClient,
    DataFeed,
    Sort,
    StockDataStream,
    StockHistoricalDataClient,
    TimeFrame,
    TimeFrameUnit,
    requests,
    running,
)
from exchange_process import MINUTE_US, OPEN_US, Tape, bar

from execution.exchange.ticks import Tick

OPEN = datetime(2025, 11, 11, 14, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def stocks(tape: Tape) -> StockHistoricalDataClient:
    return StockHistoricalDataClient(tape.keys.key_id, tape.keys.secret_key, url_override=tape.url)


@pytest.fixture
def crypto(tape: Tape) -> CryptoHistoricalDataClient:
    return CryptoHistoricalDataClient(tape.keys.key_id, tape.keys.secret_key, url_override=tape.url)


def at(minute: float) -> int:
    return OPEN_US + round(minute * MINUTE_US)


def post_ticks(tape: Tape, symbol: str) -> None:
    for n in range(5):
        quote = Tick(symbol, at(n), 99.0 + n, 101.0 + n, None, 3, 4)
        tape.control.post_ticks([quote, Tick(symbol, at(n), last=100.0 + n, last_size=10 + n)])


def test_bars_are_the_posted_ones(tape: Tape, stocks: StockHistoricalDataClient) -> None:
    tape.move(100.0, 102.0)
    tape.move(50.0, symbol="BBB")
    asked = requests.StockBarsRequest(
        symbol_or_symbols=["AAA", "BBB", "NONE"],
        timeframe=TimeFrame.Minute,
        start=OPEN,
        end=OPEN + MINUTE,
        feed=DataFeed.SIP,
        adjustment=Adjustment.ALL,
        asof="2025-11-11",
    )
    bars = stocks.get_stock_bars(asked)
    assert set(bars.data) == {"AAA"}  # BBB's bar is of the third minute
    first, second = bars["AAA"]
    assert (first.timestamp, second.timestamp) == (OPEN, OPEN + MINUTE)
    assert (first.open, first.high, first.low, first.close, first.volume) == (
        100.0,
        101.0,
        99.0,
        100.0,
        1000.0,
    )
    whole = stocks.get_stock_bars(
        requests.StockBarsRequest(symbol_or_symbols="BBB", timeframe=TimeFrame.Minute)
    )
    assert [each.timestamp for each in whole["BBB"]] == [OPEN + 2 * MINUTE]  # without dates: the tape's day


def test_pages_leave_out_nothing_and_repeat_nothing(
    tape: Tape, stocks: StockHistoricalDataClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for minute in range(5):
        tape.control.post_bars([bar(minute, 100.0 + minute), bar(minute, 50.0 + minute, "BBB")])
    for symbol in ("AAA", "BBB"):
        post_ticks(tape, symbol)
        post_ticks(tape, symbol)  # the same instants again: ticks may share one
    pages = 0
    get_page = stocks.get

    def get_three(path: str, data: dict[str, Any], **more: Any) -> Any:
        nonlocal pages
        pages += 1
        return get_page(path, {**data, "limit": 3}, **more)

    monkeypatch.setattr(stocks, "get", get_three)
    span = {"symbol_or_symbols": ["BBB", "AAA"], "start": OPEN, "end": OPEN + 3 * MINUTE}
    for sort in (Sort.ASC, Sort.DESC):
        bars = stocks.get_stock_bars(requests.StockBarsRequest(timeframe=TimeFrame.Minute, sort=sort, **span))
        order = [0, 1, 2, 3] if sort is Sort.ASC else [3, 2, 1, 0]
        assert {name: [each.open for each in told] for name, told in bars.data.items()} == {
            "AAA": [100.0 + n for n in order],
            "BBB": [50.0 + n for n in order],
        }
        quotes = stocks.get_stock_quotes(requests.StockQuotesRequest(sort=sort, **span))
        assert [each.bid_price for each in quotes["AAA"]] == [99.0 + n for n in order for _ in range(2)]
        trades = stocks.get_stock_trades(requests.StockTradesRequest(sort=sort, **span))
        assert [each.size for each in trades["BBB"]] == [10.0 + n for n in order for _ in range(2)]
        assert len({each.id for each in trades["BBB"]}) == 8
    assert pages == 2 * (3 + 6 + 6)


def test_longer_bars_are_put_together(tape: Tape, stocks: StockHistoricalDataClient) -> None:
    tape.move(*(100.0 + minute for minute in range(7)))

    def bars(timeframe: TimeFrame, **more: Any) -> list[Any]:
        asked = requests.StockBarsRequest(symbol_or_symbols="AAA", timeframe=timeframe, **more)
        return list(stocks.get_stock_bars(asked)["AAA"])

    first, second = bars(TimeFrame(5, TimeFrameUnit.Minute), start=OPEN)
    assert (first.timestamp, second.timestamp) == (OPEN, OPEN + 5 * MINUTE)
    assert (first.open, first.high, first.low, first.close, first.volume) == (
        100.0,
        105.0,
        99.0,
        104.0,
        5000.0,
    )
    assert (second.open, second.close, second.volume) == (105.0, 106.0, 2000.0)
    (day,) = bars(TimeFrame.Day, start=datetime(2025, 11, 11, tzinfo=UTC))
    assert day.timestamp == datetime(2025, 11, 11, 5, tzinfo=UTC)  # midnight in New York
    assert (day.open, day.close, day.volume) == (100.0, 106.0, 7000.0)
    (month,) = bars(TimeFrame.Month, start=datetime(2025, 11, 1, tzinfo=UTC))
    assert month.timestamp == datetime(2025, 11, 1, 4, tzinfo=UTC)  # before the clocks changed


def test_the_latest_and_the_snapshot(tape: Tape, stocks: StockHistoricalDataClient) -> None:
    tape.control.post_bars([bar(-24 * 60, 90.0)])
    tape.move(100.0, 102.0)
    post_ticks(tape, "AAA")
    both = ["AAA", "NONE"]
    bars = stocks.get_stock_latest_bar(requests.StockLatestBarRequest(symbol_or_symbols=both))
    quotes = stocks.get_stock_latest_quote(requests.StockLatestQuoteRequest(symbol_or_symbols=both))
    trades = stocks.get_stock_latest_trade(requests.StockLatestTradeRequest(symbol_or_symbols=both))
    assert set(bars) == set(quotes) == set(trades) == {"AAA"}
    assert bars["AAA"].close == 102.0
    assert (quotes["AAA"].bid_price, quotes["AAA"].ask_price) == (103.0, 105.0)
    assert (quotes["AAA"].bid_size, quotes["AAA"].ask_size) == (3.0, 4.0)
    assert (trades["AAA"].price, trades["AAA"].size) == (104.0, 14.0)
    snapshot = stocks.get_stock_snapshot(requests.StockSnapshotRequest(symbol_or_symbols=both))["AAA"]
    assert snapshot.latest_trade == trades["AAA"]
    assert snapshot.latest_quote == quotes["AAA"]
    assert snapshot.minute_bar == bars["AAA"]
    assert (snapshot.daily_bar.open, snapshot.daily_bar.close) == (100.0, 102.0)
    assert snapshot.previous_daily_bar.close == 90.0


def test_a_question_that_cannot_be_answered_is_alpacas_400(stocks: StockHistoricalDataClient) -> None:
    asked = requests.StockBarsRequest(
        symbol_or_symbols="AAA", timeframe=TimeFrame.Minute, start=OPEN, end=OPEN - MINUTE
    )
    with pytest.raises(APIError, match="end should not be before start") as refused:
        stocks.get_stock_bars(asked)
    assert refused.value.status_code == 400
    assert str(refused.value) == '{"message":"end should not be before start"}'


def test_crypto_has_the_same_under_its_own_paths(tape: Tape, crypto: CryptoHistoricalDataClient) -> None:
    tape.control.post_bars([bar(0, 100.0, "BTC/USD", volume=0.5)])
    post_ticks(tape, "BTC/USD")
    bars = crypto.get_crypto_bars(
        requests.CryptoBarsRequest(
            symbol_or_symbols="BTC/USD", timeframe=TimeFrame.Day, start=OPEN - 1440 * MINUTE
        )
    )
    assert [(each.timestamp.hour, each.volume) for each in bars["BTC/USD"]] == [(0, 0.5)]
    quotes = crypto.get_crypto_quotes(requests.CryptoQuoteRequest(symbol_or_symbols="BTC/USD", limit=2))
    assert [each.ask_price for each in quotes["BTC/USD"]] == [101.0, 102.0]
    trades = crypto.get_crypto_trades(requests.CryptoTradesRequest(symbol_or_symbols=["BTC/USD"], start=OPEN))
    assert len(trades["BTC/USD"]) == 5
    latest = {"symbol_or_symbols": ["BTC/USD"]}
    assert crypto.get_crypto_latest_bar(requests.CryptoLatestBarRequest(**latest))["BTC/USD"].close == 100.0
    assert (
        crypto.get_crypto_latest_quote(requests.CryptoLatestQuoteRequest(**latest))["BTC/USD"].bid_price
        == 103.0
    )
    assert (
        crypto.get_crypto_latest_trade(requests.CryptoLatestTradeRequest(**latest))["BTC/USD"].price == 104.0
    )
    snapshot = crypto.get_crypto_snapshot(requests.CryptoSnapshotRequest(**latest))["BTC/USD"]
    assert snapshot.daily_bar.open == 100.0


@pytest.mark.full
@pytest.mark.parametrize(
    ("stream_class", "path", "symbol"),
    [(StockDataStream, "/v2/iex", "AAA"), (CryptoDataStream, "/v1beta3/crypto/us", "BTC/USD")],
)
def test_a_stream_hears_each_channel_it_subscribed_to(
    tape: Tape, stream_class: type[Any], path: str, symbol: str
) -> None:
    async def run() -> dict[str, list[Any]]:
        stream = stream_class(
            tape.keys.key_id, tape.keys.secret_key, url_override=tape.url.replace("http", "ws") + path
        )
        last = "LAST/USD" if "/" in symbol else "LAST"
        heard: dict[str, list[Any]] = {}
        complete = asyncio.Event()

        def into(channel: str) -> Any:
            async def hear(told: Any) -> None:
                heard.setdefault(channel, []).append(told)
                if "last" in heard:
                    complete.set()

            return hear

        stream.subscribe_bars(into("bars"), "*")
        stream.subscribe_updated_bars(into("updatedBars"), symbol)
        stream.subscribe_daily_bars(into("dailyBars"), symbol)
        stream.subscribe_quotes(into("quotes"), symbol)
        stream.subscribe_trades(into("trades"), symbol)
        stream.subscribe_trades(into("last"), last)
        if "/" not in symbol:
            stream.subscribe_trading_statuses(into("statuses"), symbol)
        async with running(stream, tape):
            tape.control.post_bars([bar(0, 100.0, symbol), bar(0, 10.0, last)])
            tape.control.post_bars([bar(1, 101.0, symbol)])
            tape.control.post_bars([bar(1, 101.0, symbol)])  # asked again: nothing new
            tape.control.post_bars([bar(1, 104.0, symbol)])  # the same minute, told otherwise
            post_ticks(tape, symbol)
            tape.control.halt(symbol)
            tape.control.halt(symbol, halted=False)
            tape.control.post_ticks([Tick(last, at(9), last=1.0, last_size=1.0)])
            await asyncio.wait_for(complete.wait(), 5)
        return heard

    heard = asyncio.run(run())
    assert [each.open for each in heard["bars"] if each.symbol == symbol] == [100.0, 101.0]
    assert len(heard["bars"]) == 3  # "*" is every symbol
    assert [each.timestamp for each in heard["bars"]] == [OPEN, OPEN, OPEN + MINUTE]
    assert [each.close for each in heard["updatedBars"]] == [104.0]
    assert [each.close for each in heard["dailyBars"]] == [100.0, 101.0, 104.0]
    assert [each.volume for each in heard["dailyBars"]] == [1000.0, 2000.0, 2000.0]
    assert [each.bid_price for each in heard["quotes"]] == [99.0 + n for n in range(5)]
    assert [each.price for each in heard["trades"]] == [100.0 + n for n in range(5)]
    if symbol == "AAA":
        assert [each.status_message for each in heard["statuses"]] == ["Trading Halt", "Trading Resumption"]
