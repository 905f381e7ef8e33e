"""How much of the exchange an account may use: Alpaca's limits of requests, of streamed symbols and of sockets.

Set over HTTP, kept in memory only; a restarted exchange has the defaults.
"""

from math import ceil

import msgspec

from execution.exchange.orders import Reason, Reject

ALPACAS_PER_MIN = 200
DATA_PATHS = ("/v2/stocks/", "/v1beta3/")  # counted apart from trading, as Alpaca's are another host's


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    requests_per_min: int | None = None  # of trading and of market data each; None: no limit
    stream_symbols: int | None = None  # trades and quotes of so many symbols; 30 on Alpaca's free plan
    stream_sockets: int = 1  # of each market-data stream, as on most of Alpaca's plans


def read_limits(body: bytes) -> Limits | Reject:
    """The limits of a request body; those it leaves out have their defaults."""
    try:
        asked = msgspec.json.decode(body, type=Limits)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        return Reject(Reason.INVALID, f"request body format is invalid: {error}")
    numbers = (asked.requests_per_min, asked.stream_symbols, asked.stream_sockets)
    if any(number is not None and number < 1 for number in numbers):
        return Reject(Reason.INVALID, "limits must be >= 1, or null for none")
    return asked


class Spent(msgspec.Struct, frozen=True):
    """Where an account stands in its minute after a request."""

    limit: int
    used: int
    reset_s: int  # when the next minute begins, in seconds since the epoch
    wait_s: int

    @property
    def refused(self) -> bool:
        return self.used > self.limit

    @property
    def headers(self) -> dict[str, str]:
        told = {
            "X-Ratelimit-Limit": str(self.limit),
            "X-Ratelimit-Remaining": str(max(0, self.limit - self.used)),
            "X-Ratelimit-Reset": str(self.reset_s),
        }
        return {**told, "Retry-After": str(self.wait_s)} if self.refused else told


class Usage:
    """How many requests of each kind an account has sent in its current minute, which its first request began."""

    def __init__(self) -> None:
        self._minutes: dict[str, tuple[float, int]] = {}  # kind -> beginning, requests

    def spend(self, kind: str, limit: int | None, now_s: float) -> Spent | None:
        """Counts a request; None where there is no limit."""
        if limit is None:
            return None
        began_s, used = self._minutes.get(kind, (now_s, 0))
        if not began_s <= now_s < began_s + 60.0:
            began_s, used = now_s, 0
        self._minutes[kind] = (began_s, used + 1)
        return Spent(limit, used + 1, ceil(began_s + 60.0), max(1, ceil(began_s + 60.0 - now_s)))
