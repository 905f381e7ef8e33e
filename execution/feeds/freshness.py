"""When silence means that something is wrong: only while a session is on, and never for the hours before it."""

from collections.abc import Mapping

from execution.feeds.grid import Grid


class Freshness:
    """What was heard when, of which symbol; silence is judged per calendar."""

    def __init__(self, grids: Mapping[str, Grid], stale_after_us: int, now_us: int) -> None:
        self._stale_after_us = stale_after_us
        self._calendar_of = {symbol: grid.calendar for symbol, grid in grids.items()}
        self._grids = {grid.calendar: grid for grid in grids.values()}
        self._newest_us = dict.fromkeys(self._grids, now_us)
        self.heard_us: dict[str, int] = {}

    def heard(self, symbol: str, now_us: int) -> None:
        self.heard_us[symbol] = now_us
        self._newest_us[self._calendar_of[symbol]] = now_us

    def in_session(self, now_us: int) -> bool:
        return any(grid.session(now_us) for grid in self._grids.values())

    def silence_us(self, now_us: int, since_us: int = 0) -> int:
        """The longest that any market that is open has been silent since then."""
        silences = [0]
        for calendar, grid in self._grids.items():
            if (on := grid.session(now_us)) is not None:
                silences.append(now_us - max(self._newest_us[calendar], on.opens_us, since_us))
        return max(silences)

    def stale(self, now_us: int, since_us: int = 0) -> bool:
        return self.silence_us(now_us, since_us) > self._stale_after_us
