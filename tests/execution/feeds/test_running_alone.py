"""`python -m execution.feeds`: a feed as a process, stopped, refused, and heard by somebody else."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import redis
from streams import MINUTE_US, OPEN, OPEN_US, bars_in, status_in, ticks_in

from data import bus
from data.bar import bars_of
from data.sources.synthetic import SyntheticMarket
from execution.feeds.grid import moment

pytestmark = pytest.mark.full


@contextmanager
def feed_process(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "execution.feeds", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_for(client: redis.Redis, bars: int) -> None:
    give_up_at = time.monotonic() + 30
    while len(bars_in(client, "AAA")) < bars:
        assert time.monotonic() < give_up_at, "no bars came"
        time.sleep(0.02)


def test_a_market_that_is_made_up_runs_at_any_speed_and_stops_in_good_order(redis_url: str) -> None:
    start = moment(OPEN_US + 5 * MINUTE_US)
    with redis.Redis.from_url(redis_url) as client:
        arguments = ("synthetic", "AAA", "BBB", "--start", start.isoformat(), "--speed", "3000")
        with feed_process(*arguments) as process:
            wait_for(client, 12)
            status = status_in(client, "synthetic")
            assert status is not None
            assert (status.state, status.reliable, status.holes) == ("live", True, 0)
            assert 0 < client.ttl(bus.feed("synthetic")) <= 5
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=10) == 0
        status = status_in(client, "synthetic")
        assert status is not None
        assert (status.state, status.reliable) == ("stopped", False)
        for symbol in ("AAA", "BBB"):
            told = bars_in(client, symbol)
            end = moment(told[-1].ts_us + MINUTE_US)
            assert told == bars_of(SyntheticMarket().history([symbol], OPEN, end, "1m"), "1m")
            ticks = ticks_in(client, symbol)
            assert ticks[0].ts_us == OPEN_US + 5 * MINUTE_US


def test_a_made_up_market_begins_anew_each_time(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        for _ in range(2):
            with feed_process("synthetic", "AAA", "--start", OPEN.isoformat(), "--speed", "3000") as process:
                wait_for(client, 3)
                process.send_signal(signal.SIGTERM)
                assert process.wait(timeout=10) == 0
            assert bars_in(client, "AAA")[0].ts_us == OPEN_US
            client.delete(bus.md("AAA"))


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("synthetic", "NOPE"), 2, "the synthetic market has no symbol 'NOPE'"),
        (("alpaca", "AAPL"), 2, "Set SLIPWAY_ALPACA_KEY_ID and SLIPWAY_ALPACA_SECRET"),
        (("bybit", "BTCUSDT", "--timeframe", "7m"), 2, "there is no timeframe '7m'"),
        (("alpaca", "AAPL", "--timeframe", "5m"), 2, "Alpaca streams bars of 1m, not of 5m"),
    ],
)
def test_what_cannot_be_had_is_one_sentence(
    redis_url: str, arguments: tuple[str, ...], code: int, said: str
) -> None:
    with feed_process(*arguments) as process:
        _, error = process.communicate(timeout=30)
        assert process.returncode == code
        assert said in error
        assert "Traceback" not in error


def test_screens_hear_prices(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client, client.pubsub(ignore_subscribe_messages=True) as screen:
        screen.subscribe(bus.ticker("AAA"))
        with feed_process("synthetic", "AAA", "--start", OPEN.isoformat(), "--speed", "600"):
            heard = None
            give_up_at = time.monotonic() + 30
            while heard is None:
                assert time.monotonic() < give_up_at, "no price came"
                heard = screen.get_message(timeout=1.0)
        told = json.loads(heard["data"])
        assert told["symbol"] == "AAA"
        assert told["ts_us"] >= OPEN_US
