"""One connection to Alpaca's market data stream: log in, subscribe, listen."""

from collections.abc import AsyncGenerator, Sequence
from typing import Final, Literal

from data.sources.alpaca import AlpacaDataSettings
from execution.feeds.alpaca.wire import Subscription, Success, auth, normal, read, subscribe
from execution.feeds.clock import SteadyClock
from execution.feeds.contract import Interrupted, Subscribed, Told
from execution.feeds.settings import FeedSettings
from execution.feeds.socket import Socket, connected, frame, no_longer_than

Kind = Literal["stocks", "crypto"]

# alpaca-py asks so, too; without it Alpaca speaks JSON.
_HEADERS: Final = {"Content-Type": "application/msgpack"}


class AlpacaStream:
    """Trades, quotes and, unless they are built from trades, minute bars of some symbols."""

    def __init__(
        self,
        kind: Kind,
        symbols: Sequence[str],
        settings: FeedSettings,
        account: AlpacaDataSettings,
        clock: SteadyClock | None = None,
    ) -> None:
        path = f"/v2/{account.feed}" if kind == "stocks" else "/v1beta3/crypto/us"
        self.name = f"alpaca-{kind}"
        self.symbols = tuple(symbols)
        self.tells_bars = settings.bars == "vendor"
        self._url = settings.alpaca_url.rstrip("/") + path
        self._keys = account.keys()
        self._connect_s = settings.connect_s
        self._clock = clock or SteadyClock()

    def now_us(self) -> int:
        return self._clock.now_us()

    async def told(self) -> AsyncGenerator[Told, None]:
        self._clock.set()
        async with connected(self._url, self._connect_s, _HEADERS) as socket:
            async with no_longer_than(self._connect_s, "let us in"):
                await self._log_in(socket)
            subscribed = False
            while True:
                for message in read(await frame(socket)):
                    if isinstance(message, Subscription) and not subscribed:
                        subscribed = True
                        yield Subscribed()
                    elif (told := normal(message)) is not None:
                        yield told

    async def _log_in(self, socket: Socket) -> None:
        await _expect(socket, "connected")
        key_id, secret = self._keys
        await socket.send_bytes(auth(key_id.get_secret_value(), secret.get_secret_value()))
        await _expect(socket, "authenticated")
        channels = {"trades": self.symbols, "quotes": self.symbols}
        if self.tells_bars:
            channels |= {"bars": self.symbols, "updatedBars": self.symbols}
        await socket.send_bytes(subscribe(channels))


async def _expect(socket: Socket, msg: str) -> None:
    heard = []
    for message in read(await frame(socket)):
        normal(message)  # an error is raised
        heard.append(message)
    if not any(isinstance(message, Success) and message.msg == msg for message in heard):
        raise Interrupted(f"Alpaca's stream says {heard} where {msg!r} was expected")
