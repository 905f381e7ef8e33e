"""How a feed is doing, as risk, screens and logs read it from `feed.{name}`.

The key is gone when the feed is: whoever finds none has a feed that is not to be relied on.
"""

from typing import Final, Literal

import msgspec

from data import bus

State = Literal["connecting", "live", "stale", "closed", "stopped"]

STATUS_EVERY_S: Final = 1.0
KEPT_S: Final = 5  # a feed that misses four heartbeats is taken for gone


class FeedStatus(msgspec.Struct, frozen=True):
    """One look at a live feed."""

    state: State  # closed: no session is on, and silence is right
    at_us: int  # on the market's clock
    why: str  # what the last interruption was
    connections: int
    silent_us: int  # the longest that an open market has been silent
    holes: int  # gaps that history did not fill
    heard_us: dict[str, int]  # when each symbol was heard last
    counted: dict[str, int]  # what was dropped, and why

    @property
    def reliable(self) -> bool:
        return self.state in ("live", "closed")


decode_status: Final = msgspec.json.Decoder(FeedStatus).decode


async def read_status(redis: bus.AsyncRedis, feed: str) -> FeedStatus | None:
    """What the feed said last; None when it is silent for seconds, or Redis is."""
    try:
        async with bus.within():
            found = await redis.get(bus.feed(feed))
    except bus.Lost:
        return None
    return decode_status(found) if found else None
