"""The venue that the settings name, ready to be asked."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import SecretStr

from data.errors import Unavailable
from data.settings import get_settings
from execution.broker import BrokerDown
from execution.broker.alpaca.adapter import AlpacaBroker
from execution.broker.credentials import Credentials, alpaca_credentials
from execution.exchange.books import Keys
from execution.exchange.control import ExchangeControl
from execution.settings import ExecutionSettings


@asynccontextmanager
async def venue(
    account: str, *, only_read: bool = False, **terms: float
) -> AsyncIterator[tuple[AlpacaBroker, Keys | None]]:
    """The broker of SLIPWAY_BROKER, which took our keys; and the keys of our own market, if it is the simulator.

    There, the account of this name is opened with `terms` if it is new.  One that is blocked can only be read.
    """
    settings = ExecutionSettings()
    keys: Keys | None = None
    if settings.broker == "sim":
        url = get_settings().exchange()
        async with ExchangeControl(url) as control:
            keys = await control.open_account(account, **terms)
        credentials = simulator_credentials(url, keys)
    else:
        credentials = alpaca_credentials(settings.broker)
    broker = AlpacaBroker(
        credentials, connect_s=settings.connect_timeout_s, total_s=settings.request_timeout_s
    )
    try:
        await _admitted(broker, credentials, only_read)
        yield broker, keys
    finally:
        await broker.close()


def simulator_credentials(url: str, keys: Keys) -> Credentials:
    return Credentials(
        url.rstrip("/"),
        SecretStr(keys.key_id),
        SecretStr(keys.secret_key),
        "Is SLIPWAY_EXCHANGE_URL the exchange that opened the account?",
    )


async def _admitted(broker: AlpacaBroker, credentials: Credentials, only_read: bool) -> None:
    try:
        await broker.admit(only_read=only_read)
    except BrokerDown as error:
        raise Unavailable(
            f"the broker at {credentials.url} does not say how the account stands ({error})",
            "Check the network and SLIPWAY_BROKER, or try again.",
        ) from error
