"""Waiting for what another task or process does."""

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], bool], what: str, seconds: float = 10.0) -> None:
    """Look again and again; say what did not come true."""
    try:
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110  what it looks at lies in another process
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise AssertionError(f"not within {seconds:g} s: {what}") from None
