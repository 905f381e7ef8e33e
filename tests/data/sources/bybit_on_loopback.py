"""Bybit's market data on this machine, by its v5 documentation: strings, newest first, errors with HTTP 200."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from vendor_on_loopback import Asked, Send, VendorServer, told

KLINE, LISTING = "/v5/market/kline", "/v5/market/instruments-info"
INTERVALS = {"1": 60, "5": 300, "15": 900, "30": 1_800, "60": 3_600, "D": 86_400, "M": 31 * 86_400}

SPOT = {
    "symbol": "BTCUSDT",
    "baseCoin": "BTC",
    "quoteCoin": "USDT",
    "status": "Trading",
    "lotSizeFilter": {"basePrecision": "0.000001", "quotePrecision": "0.0000001", "minOrderAmt": "5"},
    "priceFilter": {"tickSize": "0.01"},
}
LINEAR = {
    "symbol": "BTCUSDT",
    "contractType": "LinearPerpetual",
    "status": "Trading",
    "launchTime": "1585526400000",
    "lotSizeFilter": {"qtyStep": "0.001", "minOrderQty": "0.001", "maxOrderQty": "1190.000"},
    "priceFilter": {"minPrice": "0.10", "maxPrice": "1999999.80", "tickSize": "0.10"},
}

Candle = list[str]


def milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000)


def enveloped(
    result: Any, code: int = 0, said: str = "OK", now_ms: int = 1_672_025_956_592
) -> dict[str, Any]:
    return {"retCode": code, "retMsg": said, "result": result, "retExtInfo": {}, "time": now_ms}


def candle(moment: datetime, close: float = 100.0, volume: str = "2", turnover: str = "200.5") -> Candle:
    opened, high, low = close - 0.5, close + 1, close - 1
    return [str(milliseconds(moment)), f"{opened}", f"{high}", f"{low}", f"{close}", volume, turnover]


def candles_every(first: datetime, count: int, every: timedelta) -> list[Candle]:
    return [candle(first + number * every, 100.0 + number % 7) for number in range(count)]


def serve_candles(vendor: VendorServer, by_interval: dict[str, Sequence[Candle]]) -> None:
    """Newest first and at most `limit`; a `start` inside a candle brings that candle, too, as the real one does."""

    def answer(asked: Asked) -> Send:
        query = asked.query
        every_ms = INTERVALS[query["interval"]] * 1_000
        start, end = int(query["start"]), int(query["end"])
        known = by_interval.get(query["interval"], [])
        found = [each for each in known if start - every_ms < int(each[0]) <= end]
        rows = found[::-1][: int(query["limit"])]
        return told(enveloped({"category": query["category"], "symbol": query["symbol"], "list": rows}))

    vendor.answers(KLINE, answer)


def serve_listing(vendor: VendorServer, *listings: dict[str, Any]) -> None:
    vendor.on(LISTING, told(enveloped({"category": "spot", "list": list(listings), "nextPageCursor": ""})))


def midnight(year: int, month: int, day: int) -> datetime:
    return datetime(year, month, day, tzinfo=UTC)
