"""Alpaca's stream, on a real socket: from log-in to Redis, through breaks, gaps, silence and refusals."""

import asyncio
import warnings
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import polars as pl
import pytest
import redis
from alpaca_stream_server import (
    CHANNELS,
    KEY_ID,
    SECRET,
    AlpacaStreamServer,
    alpaca_stream,
    bar,
    quote,
    trade,
)
from streams import (
    HOUR_US,
    MINUTE_US,
    OPEN,
    OPEN_US,
    SECOND_US,
    bars_in,
    entries_in,
    grids_of,
    live_feed,
    no_history,
    status_in,
    ticks_in,
)
from waiting import until

from data.bar import Bar, Tick, bars_of
from data.errors import Refused, SlipwayError, UsageError
from data.sources.alpaca import AlpacaDataSettings
from data.sources.synthetic import FAULTS, SyntheticMarket
from execution.feeds.alpaca import AlpacaStream
from execution.feeds.checking import CROSSED, DUPLICATE, FUTURE, MISSHAPEN
from execution.feeds.clock import SteadyClock
from execution.feeds.grid import moment
from execution.feeds.live import LiveFeed, Surroundings
from execution.feeds.settings import FeedSettings
from execution.feeds.status import FeedStatus

MARKET = SyntheticMarket()
YEAR_US = 364 * 24 * HOUR_US  # a Tuesday, too


class Hand:
    """The market's clock, moved by the test."""

    def __init__(self, at_us: int) -> None:
        self.at_us = at_us
        self.jump_us = 0  # by which somebody has set the wall clock

    def now_us(self) -> int:
        return self.at_us

    def wall_us(self) -> int:
        return self.at_us + self.jump_us


def true_bars(first: int, end: int, symbol: str = "AAA") -> list[Bar]:
    """Those of the minutes [first, end) of the session."""
    frame = MARKET.history([symbol], moment(minute(first)), moment(minute(end)), "1m")
    return bars_of(frame, "1m")


def minute(number: int) -> int:
    return OPEN_US + number * MINUTE_US


@dataclass
class Desk:
    """A feed at work, the vendor it hears, and the Redis it fills."""

    vendor: AlpacaStreamServer
    feed: LiveFeed
    hand: Hand
    client: redis.Redis

    def status(self) -> FeedStatus | None:
        return status_in(self.client, "alpaca-stocks")

    def state(self) -> str:
        told = self.status()
        return told.state if told else "gone"

    async def bars(self, count: int, symbol: str = "AAA") -> list[Bar]:
        await until(lambda: len(bars_in(self.client, symbol)) >= count, f"{count} bars of {symbol}")
        return bars_in(self.client, symbol)


async def quickly(seconds: float) -> None:
    """Waits of the feed, shortened: what they wait for is on this machine."""
    await asyncio.sleep(min(seconds, 0.005))


def account(**changes: Any) -> AlpacaDataSettings:
    return AlpacaDataSettings.model_validate({"key_id": KEY_ID, "secret": SECRET, **changes})


@asynccontextmanager
async def at_work(
    redis_url: str, hand: Hand, history: Any, symbols: Sequence[str] = ("AAA",), **settings: Any
) -> AsyncIterator[Desk]:
    """A feed that runs; it must end well when it is stopped."""
    async with alpaca_stream() as vendor:
        known = {"alpaca_url": vendor.url, "backfill_settle_s": 0.0, **settings}
        clock = SteadyClock(hand.wall_us, hand.now_us)
        stream = AlpacaStream("stocks", symbols, FeedSettings(**known), account(), clock)
        around = Surroundings(quickly, lambda: 0.5)
        async with live_feed(stream, grids_of(symbols), history, around, **known) as feed:
            with redis.Redis.from_url(redis_url) as client:
                running = asyncio.create_task(feed.run())
                try:
                    await until(lambda: vendor.subscribed or running.done(), "a subscription")
                    yield Desk(vendor, feed, hand, client)
                    feed.stop()
                    async with asyncio.timeout(5):
                        await running
                finally:
                    running.cancel()
                assert status_in(client, "alpaca-stocks").state == "stopped"  # type: ignore[union-attr]


@pytest.mark.full
def test_a_session_with_a_break_is_whole_and_in_order(redis_url: str) -> None:
    hand = Hand(minute(10) + 20 * SECOND_US)

    def finished(symbols: Sequence[str], start: datetime, end: datetime, timeframe: str) -> pl.DataFrame:
        told = MARKET.history(symbols, start, end, timeframe)
        return told.filter(pl.col("ts_utc").dt.offset_by("1m") <= moment(hand.at_us))

    async def run() -> None:
        async with at_work(redis_url, hand, finished, stale_after_s=3600.0) as desk:
            # What there was of the session before we came is history.
            assert await desk.bars(10) == true_bars(0, 10)
            assert all(b"backfilled" in fields for _, fields in entries_in(desk.client, "AAA"))
            assert desk.vendor.subscription == {channel: ["AAA"] for channel in CHANNELS}
            hand.at_us = minute(11)
            await desk.vendor.send(bar(true_bars(10, 11)[0]))
            assert await desk.bars(11) == true_bars(0, 11)
            assert b"backfilled" not in entries_in(desk.client, "AAA")[-1][1]

            # Nobody hears the next five; the one that is told on the new connection comes behind them.
            await desk.vendor.drop()
            hand.at_us = minute(16) + SECOND_US
            await until(lambda: desk.vendor.subscribed, "a new subscription")
            hand.at_us = minute(17)
            await desk.vendor.send(bar(true_bars(16, 17)[0]), bar(true_bars(15, 16)[0]))
            assert await desk.bars(17) == true_bars(0, 17)

            # A bar that the vendor mends is called so, and stands in no way of the next one.
            mended = Bar("AAA", "1m", minute(16), 1.0, 2.0, 1.0, 2.0, 3.0)
            await desk.vendor.send(bar(mended, "u"), bar(true_bars(17, 18)[0]))
            assert await desk.bars(18) == true_bars(0, 18)
            assert bars_in(desk.client, "AAA", b"c") == [mended]
            told = desk.feed.status()
            assert told.connections == 2
            assert told.holes == 0
            assert "the vendor closed the stream" in told.why

    asyncio.run(run())


def test_trades_and_quotes_arrive_as_ticks_and_screens_hear_the_price(redis_url: str) -> None:
    hand = Hand(OPEN_US + 5 * SECOND_US)
    at_us = OPEN_US + 4 * SECOND_US

    async def run() -> None:
        async with at_work(redis_url, hand, no_history) as desk:
            with desk.client.pubsub() as screen:
                screen.subscribe("ticker.AAA")
                assert screen.get_message(timeout=2.0)["type"] == "subscribe"
                await desk.vendor.send(quote("AAA", at_us, 99.9, 100.1), trade("AAA", at_us, 100.0, 5.0, 1))
                await desk.vendor.send(
                    trade("AAA", at_us, 100.0, 5.0, 1),  # told twice
                    trade("AAA", at_us, 100.0, 5.0, 2),  # another one like it
                    quote("AAA", at_us, 0.0, 100.1),  # nobody bids
                    quote("AAA", at_us, 100.2, 100.1),  # crossed
                    trade("AAA", at_us + 3600 * SECOND_US, 100.0, 5.0, 3),  # tomorrow's
                    trade("ZZZ", at_us, 100.0, 5.0, 4),
                )
                await until(lambda: len(ticks_in(desk.client, "AAA")) >= 4, "four ticks")
                assert ticks_in(desk.client, "AAA") == [
                    Tick("AAA", at_us, bid=99.9, ask=100.1, bid_size=3.0, ask_size=2.0),
                    Tick("AAA", at_us, last=100.0, last_size=5.0, trade_id="V:1"),
                    Tick("AAA", at_us, last=100.0, last_size=5.0, trade_id="V:2"),
                    Tick("AAA", at_us, ask=100.1, ask_size=2.0),
                ]
                heard = screen.get_message(timeout=2.0)
                assert heard["data"] == f'{{"symbol":"AAA","ts_us":{at_us},"last":100.0}}'.encode()
            await until(lambda: "not asked for" in desk.feed.status().counted, "the last trade")
            assert {DUPLICATE, CROSSED, FUTURE} <= set(desk.feed.status().counted)

    asyncio.run(run())


def test_what_nobody_understands_is_counted_and_takes_nothing_with_it(redis_url: str) -> None:
    hand = Hand(minute(1))

    async def run() -> None:
        async with at_work(redis_url, hand, no_history) as desk:
            good = bar(true_bars(0, 1)[0])
            await desk.vendor.send({"T": "new-in-2030", "S": "AAA"}, {**good, "o": "ten"}, good, {"T": "c"})
            await desk.vendor.send_raw(b"<html>502 Bad Gateway</html>")
            await desk.vendor.send({**good, "h": 0.5})
            await until(lambda: MISSHAPEN in desk.feed.status().counted, "the last message")
            assert await desk.bars(1) == true_bars(0, 1)
            assert desk.feed.status().counted["unreadable"] == 3
            assert desk.feed.status().connections == 1

    asyncio.run(run())


def test_silence_in_a_session_is_stale_and_connects_anew(redis_url: str) -> None:
    hand = Hand(minute(5))

    async def run() -> None:
        async with at_work(redis_url, hand, no_history, stale_after_s=30.0) as desk:
            await desk.vendor.send(quote("AAA", hand.at_us, 99.9, 100.1))
            await until(lambda: desk.feed.status().heard_us == {"AAA": hand.at_us}, "the quote")
            hand.at_us += 30 * SECOND_US
            assert desk.vendor.connections == 1
            hand.at_us += 1
            await until(lambda: desk.state() == "stale", "stale")
            await until(
                lambda: desk.vendor.connections == 2 and desk.vendor.subscribed, "a second connection"
            )
            assert desk.state() == "stale"  # connected is not heard
            await desk.vendor.send(quote("AAA", hand.at_us, 99.9, 100.2))
            await until(lambda: desk.state() == "live", "live again")

    asyncio.run(run())


def test_silence_over_night_is_none(redis_url: str) -> None:
    hand = Hand(minute(389))

    async def run() -> None:
        async with at_work(redis_url, hand, no_history, stale_after_s=30.0) as desk:
            await desk.vendor.send(quote("AAA", hand.at_us, 99.9, 100.1))
            await until(lambda: desk.state() == "live", "live")
            hand.at_us = minute(390)
            await until(lambda: desk.state() == "closed", "closed")
            hand.at_us += 12 * 60 * MINUTE_US
            await until(lambda: desk.feed.status().at_us == hand.at_us, "the night")
            assert desk.state() == "closed"
            assert desk.vendor.connections == 1

    asyncio.run(run())


@pytest.mark.full
def test_bars_of_trades_are_the_markets_and_partial_minutes_come_from_history(redis_url: str) -> None:
    """Connected in the middle of a minute: that minute is asked of history once it is over, and then comes first."""
    hand = Hand(minute(2) + 30 * SECOND_US)
    ticks = MARKET.ticks(["AAA"], OPEN, moment(minute(6))).with_columns(pl.col("ts_utc").dt.epoch("us"))

    def finished(symbols: Sequence[str], start: datetime, end: datetime, timeframe: str) -> pl.DataFrame:
        told = MARKET.history(symbols, start, end, timeframe)
        return told.filter(pl.col("ts_utc").dt.offset_by("1m") <= moment(hand.at_us))

    async def run() -> None:
        async with at_work(redis_url, hand, finished, bars="trades") as desk:
            assert desk.vendor.subscription["bars"] == []
            assert await desk.bars(2) == true_bars(0, 2)
            for number, row in enumerate(ticks.iter_rows(named=True)):
                if row["ts_utc"] < hand.at_us:
                    continue
                hand.at_us = row["ts_utc"]
                await desk.vendor.send(trade("AAA", row["ts_utc"], row["last"], row["last_size"], number))
                heard = number
                await until(lambda heard=heard: _heard(desk, f"V:{heard}"), f"trade {number}")  # type: ignore[misc]
            hand.at_us = minute(6) + SECOND_US
            assert await desk.bars(6) == true_bars(0, 6)

    def _heard(desk: Desk, trade_id: str) -> bool:
        told = ticks_in(desk.client, "AAA")
        return bool(told) and told[-1].trade_id == trade_id

    asyncio.run(run())


@pytest.mark.parametrize("jump_us", [HOUR_US, -HOUR_US])
def test_a_wall_clock_that_jumps_finishes_no_bar_and_drops_no_tick(redis_url: str, jump_us: int) -> None:
    hand = Hand(OPEN_US)

    async def run() -> None:
        async with at_work(redis_url, hand, no_history, bars="trades", stale_after_s=90.0) as desk:
            await desk.vendor.send(trade("AAA", OPEN_US, 100.0, 1.0, 1))
            await until(lambda: len(ticks_in(desk.client, "AAA")) == 1, "the first trade")
            hand.jump_us = jump_us
            hand.at_us += 30 * SECOND_US
            await desk.vendor.send(trade("AAA", hand.at_us, 101.0, 1.0, 2))
            await until(lambda: len(ticks_in(desk.client, "AAA")) == 2, "the second trade")
            assert bars_in(desk.client, "AAA") == []
            hand.at_us = minute(1) + SECOND_US
            assert await desk.bars(1) == [Bar("AAA", "1m", OPEN_US, 100.0, 101.0, 100.0, 101.0, 2.0)]
            assert desk.feed.status().state == "live"

    asyncio.run(run())


def test_bars_of_next_year_stop_nobody(redis_url: str) -> None:
    """Neither those of a history that is damaged in every way, nor one that the stream tells."""
    hand = Hand(minute(200))
    damaged = SyntheticMarket(faults=frozenset(FAULTS) - {"split-jump", "stale"}).history

    async def run() -> None:
        async with at_work(redis_url, hand, damaged) as desk:
            await desk.bars(150)  # of 200; the others are damaged
            hand.at_us = minute(201)
            true = true_bars(200, 201)[0]
            await desk.vendor.send(bar(msgspec.structs.replace(true, ts_us=minute(0) + YEAR_US)), bar(true))
            await until(lambda: bars_in(desk.client, "AAA")[-1] == true, "today's bar")
            known = {each.ts_us: each for each in true_bars(0, 201)}
            assert all(each == known[each.ts_us] for each in bars_in(desk.client, "AAA"))

    asyncio.run(run())


def test_new_bars_wait_for_history_only_so_long(redis_url: str) -> None:
    hand = Hand(minute(3))

    def broken(symbols: Sequence[str], start: datetime, end: datetime, timeframe: str) -> pl.DataFrame:
        raise Refused("history is closed", "Come tomorrow.")

    async def run() -> None:
        async with at_work(redis_url, hand, broken, backfill_patience_s=10.0) as desk:
            told = true_bars(3, 4)
            await desk.vendor.send(bar(told[0]))
            await until(lambda: bool(desk.feed.status().heard_us), "the bar")
            assert bars_in(desk.client, "AAA") == []
            hand.at_us += 11 * SECOND_US
            assert await desk.bars(1) == told
            assert desk.feed.status().holes == 1

    asyncio.run(run())


def test_a_feed_that_starts_again_goes_on_where_it_was(redis_url: str) -> None:
    hand = Hand(minute(4))
    market = MARKET.history

    async def run() -> None:
        async with at_work(redis_url, hand, market) as desk:
            assert await desk.bars(4) == true_bars(0, 4)
        hand.at_us = minute(7)
        async with at_work(redis_url, hand, market) as desk:
            assert await desk.bars(7) == true_bars(0, 7)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("error", "kind", "fix"),
    [
        ({"T": "error", "code": 402, "msg": "auth failed"}, Refused, "SLIPWAY_ALPACA_KEY_ID"),
        ({"T": "error", "code": 409, "msg": "insufficient subscription"}, Refused, "SLIPWAY_ALPACA_FEED=iex"),
        ({"T": "error", "code": 405, "msg": "symbol limit exceeded"}, Refused, "fewer symbols"),
        ({"T": "error", "code": 400, "msg": "invalid syntax"}, UsageError, "SLIPWAY_FEED_ALPACA_URL"),
    ],
)
def test_a_refusal_ends_the_feed_and_says_what_to_do(
    redis_url: str, error: dict[str, Any], kind: type[SlipwayError], fix: str
) -> None:
    async def run() -> None:
        async with alpaca_stream() as vendor:
            vendor.error = error
            settings = {"alpaca_url": vendor.url}
            stream = AlpacaStream("stocks", ["AAA"], FeedSettings(**settings), account())  # type: ignore[arg-type]
            async with live_feed(stream, grids_of(["AAA"]), no_history, **settings) as feed:
                await feed.run()

    with pytest.RaisesGroup(pytest.RaisesExc(kind, match=fix)):
        asyncio.run(run())


@pytest.mark.full
@pytest.mark.parametrize("trouble", ["too many connections", "no welcome"])
def test_what_may_pass_is_tried_again(redis_url: str, trouble: str) -> None:
    async def run() -> None:
        async with alpaca_stream() as vendor:
            vendor.mute = trouble == "no welcome"
            if trouble == "too many connections":
                vendor.error = {"T": "error", "code": 406, "msg": "connection limit exceeded"}
            settings = {"alpaca_url": vendor.url, "connect_s": 0.1}
            stream = AlpacaStream("stocks", ["AAA"], FeedSettings(**settings), account())  # type: ignore[arg-type]
            around = Surroundings(quickly)
            async with live_feed(stream, grids_of(["AAA"]), no_history, around, **settings) as feed:
                running = asyncio.create_task(feed.run())
                await until(lambda: vendor.connections >= 3, "three tries")
                assert feed.status().state in ("connecting", "stale")
                vendor.mute, vendor.error = False, None
                await until(lambda: vendor.subscribed, "a subscription")
                feed.stop()
                await running

    asyncio.run(run())


@pytest.mark.full
def test_the_unmodified_client_of_alpaca_hears_the_same(redis_url: str) -> None:
    """That our server on loopback speaks like Alpaca's is shown by Alpaca's own client."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # alpaca-py 0.44 still uses websockets.legacy
        from alpaca.data.live import StockDataStream

    async def run() -> Any:
        heard: asyncio.Queue[Any] = asyncio.Queue()
        async with alpaca_stream() as vendor:
            client = StockDataStream(KEY_ID, SECRET, url_override=f"{vendor.url}/v2/iex")
            client.subscribe_bars(heard.put, "AAA")
            client.subscribe_trades(heard.put, "AAA")
            running = asyncio.create_task(client._run_forever())
            await until(lambda: vendor.subscribed, "a subscription")
            await vendor.send(bar(true_bars(0, 1)[0]), trade("AAA", OPEN_US, 100.0, 5.0, 1))
            told = [await heard.get(), await heard.get()]
            await client.stop_ws()
            running.cancel()
            return told

    first, second = asyncio.run(run())
    assert (first.symbol, first.timestamp, first.close) == ("AAA", OPEN, true_bars(0, 1)[0].close)
    assert (second.price, second.size, second.id) == (100.0, 5.0, 1)
