"""One account at Alpaca, or at what speaks like it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from data.errors import Refused
from execution.broker import (
    Books,
    BrokerDown,
    BrokerEvent,
    BrokerOrder,
    Connected,
    Unreadable,
    Watermark,
)
from execution.broker.alpaca import reading, sending
from execution.broker.alpaca.books import Reader
from execution.broker.alpaca.executions import Executions
from execution.broker.alpaca.http import AlpacaHttp
from execution.broker.alpaca.stream import listen
from execution.broker.credentials import Credentials
from execution.core.intents import Intent
from execution.core.lifecycle import Outcome, Unknown

PAPER_NUMBER: Final = "PA"  # what the numbers of Alpaca's paper accounts begin with
_BLOCKS: Final = ("trading_blocked", "account_blocked", "trade_suspended_by_user")


class AlpacaBroker:
    """The Broker of execution.broker."""

    def __init__(self, credentials: Credentials, *, connect_s: float, total_s: float) -> None:
        self._http = AlpacaHttp(credentials, connect_s=connect_s, total_s=total_s)
        self._executions = Executions()

    def counted_by(self, allowed: Callable[[], Awaitable[None]]) -> None:
        """Await this before each cancel and question; orders were counted when they were claimed."""
        self._http.allowed = allowed

    async def admit(self, *, only_read: bool = False) -> None:
        """Ask for the account, once at start: are the keys good, and may it trade, if it is to?

        The connection that this opens is the one that the first order takes.
        """
        told, _ = await self._http.look("/v2/account")
        keys = self._http.credentials
        try:
            account = reading.fields(told)
            status, number = reading.text(account, "status"), reading.text(account, "account_number")
        except reading.Odd as odd:
            raise BrokerDown(f"the broker tells something unreadable of the account: {odd}") from odd
        if keys.live and number.startswith(PAPER_NUMBER):
            raise Refused(f"{number} is a paper account, and SLIPWAY_BROKER is alpaca-live", keys.how_to_fix)
        blocks = [name for name in _BLOCKS if account.get(name) not in (None, False)]
        if not only_read and (status != "ACTIVE" or blocks):
            raise Refused(
                f"the broker's account {number} may not trade: {', '.join(blocks) or f'its status is {status}'}",
                "Settle it in the broker's dashboard.",
            )

    async def submit(self, intent: Intent) -> Outcome:
        return await self._send("POST", "/v2/orders", sending.new_order(intent))

    async def replace(self, broker_id: str, by: Intent) -> Outcome:
        return await self._send("PATCH", f"/v2/orders/{broker_id}", sending.replacement(by))

    async def find(self, coid: str) -> BrokerOrder | None:
        told, _ = await self._http.look("/v2/orders:by_client_order_id", {"client_order_id": coid})
        if told is None:
            return None
        try:
            order = reading.order(told)
        except reading.Odd as odd:
            raise BrokerDown(f"the broker tells something unreadable of {coid}: {odd}") from odd
        if order.coid != coid:
            raise BrokerDown(f"asked for {coid}, the broker tells of {order.coid}")
        return order

    async def cancel(self, broker_id: str) -> None:
        """Ask for a cancel; the stream says what came of it.  An order that ended meanwhile is no failure."""
        await self._delete(f"/v2/orders/{broker_id}", ended=(404, 422))

    async def cancel_all(self) -> None:
        await self._delete("/v2/orders")

    async def books(self, since: Watermark | None = None) -> Books:
        return await Reader(self._http, self._executions, since).read()

    def events(self) -> AsyncIterator[Connected | BrokerEvent | Unreadable]:
        """The account's stream from now on; ends with BrokerDown.  What was missed comes from `books`."""
        return listen(self._http, self._executions)

    async def close(self) -> None:
        await self._http.close()

    async def _send(self, method: str, path: str, body: bytes) -> Outcome:
        try:
            answer = await self._http.send(method, path, body)
        except BrokerDown as down:
            return Unknown(str(down))
        return reading.outcome(answer.status, answer.body)

    async def _delete(self, path: str, ended: tuple[int, ...] = ()) -> None:
        answer = await self._http.ask("DELETE", path)
        if not 200 <= answer.status < 300 and answer.status not in ended:
            raise BrokerDown(f"DELETE {path} was answered with {answer.status}")
