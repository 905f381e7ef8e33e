"""The venue that the settings name, ready to be asked."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from data.settings import get_settings
from execution.broker.alpaca import AlpacaBroker
from execution.exchange.books import Keys
from execution.exchange.control import ExchangeControl
from execution.settings import ExecutionSettings


@asynccontextmanager
async def venue(account: str, **terms: float) -> AsyncIterator[tuple[AlpacaBroker, Keys]]:
    """The exchange simulator's account of this name, opened with `terms` if it is new."""
    url, settings = get_settings().exchange(), ExecutionSettings()
    async with ExchangeControl(url) as control:
        keys = await control.open_account(account, **terms)
    broker = AlpacaBroker(
        url,
        keys.key_id,
        keys.secret_key,
        connect_s=settings.connect_timeout_s,
        total_s=settings.request_timeout_s,
    )
    try:
        yield broker, keys
    finally:
        await broker.close()
