"""Cancels and questions share the account's request rate with its orders, and go before them."""

import asyncio
from collections.abc import Callable

from execution.core.bucket import Rate
from execution.flow.ports import StandingRows


class Allowance:
    """Awaited before each of them."""

    def __init__(self, standing: StandingRows, rate: Rate) -> None:
        self._standing = standing
        self._counted = rate.per_second > 0.0
        self.granted: Callable[[], None] = nobody_counts
        """told of each"""

    async def __call__(self) -> None:
        if not self._counted:
            return
        wait_s = await self._standing.take_request()
        while wait_s > 0.0:
            await asyncio.sleep(wait_s)
            wait_s = await self._standing.take_request()
        self.granted()


def nobody_counts() -> None:
    """Where no rate is watched."""
