"""How much of the exchange an account may use: Alpaca's limits of requests, of streamed symbols and of sockets.

Set over HTTP, kept in memory only; a restarted exchange has the defaults.
"""

import msgspec

from execution.exchange.orders import Reason, Reject


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    requests_per_min: int | None = None  # 200 at Alpaca, in a bucket that holds as many; None: no limit
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
