"""Alpaca's market data on this machine, by its OpenAPI files: keys, both ends included, pages over all symbols."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from vendor_on_loopback import Asked, Send, VendorServer, page, told

from data.sources.alpaca import AlpacaDataSettings

KEY_ID, SECRET = "PKTESTKEY", "s3cret-of-the-account"
NGINX_401 = "<html>\r\n<head><title>401 Authorization Required</title></head><body>nginx</body></html>"

Bar = dict[str, Any]


def settings(vendor: VendorServer, **changes: Any) -> AlpacaDataSettings:
    known = {"key_id": KEY_ID, "secret": SECRET, "data_url": vendor.url, "trading_url": vendor.url}
    return AlpacaDataSettings.model_validate({**known, **changes})


def bar(moment: datetime, close: float = 10.0, volume: float = 100.0) -> Bar:
    """One bar as it goes over the wire."""
    return {
        "t": moment.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "o": close - 0.5,
        "h": close + 1.0,
        "l": close - 1.0,
        "c": close,
        "v": volume,
        "n": 7,
        "vw": close + 0.25,
    }


def bars_every(first: datetime, count: int, minutes: int, close: float = 10.0) -> list[Bar]:
    return [bar(first + number * timedelta(minutes=minutes), close + number) for number in range(count)]


def with_keys(answer: Callable[[Asked], Send]) -> Callable[[Asked], Send]:
    """Who has the wrong keys sees the page of the proxy in front."""

    def checked(asked: Asked) -> Send:
        keys = asked.headers["APCA-API-KEY-ID"], asked.headers["APCA-API-SECRET-KEY"]
        return answer(asked) if keys == (KEY_ID, SECRET) else page(NGINX_401, 401)

    return checked


def serve_bars(vendor: VendorServer, path: str, bars: dict[str, list[Bar]], page_size: int = 10_000) -> None:
    """The bars of `start` to `end`, sorted by symbol and time, `page_size` or `limit` of them at once."""

    def answer(asked: Asked) -> Send:
        start, end = (datetime.fromisoformat(asked.query[name]) for name in ("start", "end"))
        found = [
            (symbol, each)
            for symbol in sorted(asked.query["symbols"].split(","))
            for each in bars.get(symbol, [])
            if start <= datetime.fromisoformat(each["t"]) <= end
        ]
        first = int(asked.query.get("page_token", "0"))
        after = first + min(page_size, int(asked.query.get("limit", "1000")))
        chosen: dict[str, list[Bar]] = {}
        for symbol, each in found[first:after]:
            chosen.setdefault(symbol, []).append(each)
        return told({"bars": chosen, "next_page_token": str(after) if after < len(found) else None})

    vendor.answers(path, with_keys(answer))


def pages_of(pages: Iterable[dict[str, Any]]) -> Callable[[Asked], Send]:
    """These bodies one after the other, linked by tokens."""
    bodies = list(pages)

    def answer(asked: Asked) -> Send:
        number = int(asked.query.get("page_token", "0"))
        following = str(number + 1) if number + 1 < len(bodies) else None
        return told({**bodies[number], "next_page_token": following})

    return with_keys(answer)
