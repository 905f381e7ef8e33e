"""Which feeds a name stands for."""

import asyncio
from typing import Any

import pytest
from alpaca_stream_server import KEY_ID, SECRET, AlpacaStreamServer
from waiting import until
from websockets_on_loopback import websocket_server

from data.errors import UsageError
from execution.feeds.opening import Wanted, open_feeds
from execution.feeds.settings import FeedSettings


def opened(vendor: str, *symbols: str, **settings: Any) -> list[str]:
    feeds = open_feeds(Wanted(vendor, symbols), "redis://127.0.0.1:9", FeedSettings(**settings))
    return [feed.name for feed in feeds]


def test_names_say_what_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_ALPACA_KEY_ID", KEY_ID)
    monkeypatch.setenv("SLIPWAY_ALPACA_SECRET", SECRET)
    assert opened("synthetic", "AAA", "BTX/USD") == ["synthetic"]
    assert opened("alpaca", "AAPL") == ["alpaca-stocks"]
    assert opened("alpaca", "AAPL", "BTC/USD") == ["alpaca-stocks", "alpaca-crypto"]
    assert opened("bybit", "BTCUSDT") == ["bybit-spot"]
    monkeypatch.setenv("SLIPWAY_BYBIT_CATEGORY", "linear")
    assert opened("bybit", "BTCUSDT") == ["bybit-linear"]


@pytest.mark.parametrize(
    ("vendor", "symbols", "said"),
    [
        ("nasdaq", ("AAA",), "there is no live feed 'nasdaq'"),
        ("synthetic", (), "without symbols"),
        ("synthetic", ("aaa",), "'aaa' is not a symbol"),
    ],
)
def test_what_there_is_not(vendor: str, symbols: tuple[str, ...], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        opened(vendor, *symbols)


@pytest.mark.full
def test_alpacas_shares_and_coins_are_heard_on_sockets_of_their_own(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIPWAY_ALPACA_KEY_ID", KEY_ID)
    monkeypatch.setenv("SLIPWAY_ALPACA_SECRET", SECRET)

    async def run() -> None:
        shares, coins = AlpacaStreamServer(), AlpacaStreamServer()
        async with (
            websocket_server("/v2/iex", shares.serve) as at_shares,
            websocket_server("/v1beta3/crypto/us", coins.serve) as at_coins,
        ):
            wanted = Wanted("alpaca", ("AAPL", "BTC/USD"))
            # Two servers, so two addresses; each feed finds only the path that is its own.
            feeds = [
                open_feeds(wanted, redis_url, FeedSettings(alpaca_url=url))[place]
                for place, url in enumerate((at_shares, at_coins))
            ]
            running = [asyncio.create_task(feed.run()) for feed in feeds]
            await until(lambda: shares.subscribed and coins.subscribed, "two subscriptions")
            assert shares.subscription["bars"] == ["AAPL"]
            assert coins.subscription["trades"] == ["BTC/USD"]
            for feed in feeds:
                feed.stop()
            await asyncio.gather(*running)

    asyncio.run(run())
