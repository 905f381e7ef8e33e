"""What Alpaca holds of an account, read in an order from which nothing can be concluded too early.

Orders first, then fills, then positions: what happens in between shows in the later answer.  Orders are those sent
after the watermark less an overlap, all open ones, and, one by one, those that were open at the watermark and are not
any more.  The watermark is the broker's clock at the first answer; it stays behind an order whose fills are not all
told yet, so that no fill is skipped for having been told late.
"""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from data.orders import OPEN
from execution.broker import (
    Books,
    BrokerDown,
    BrokerFill,
    BrokerOrder,
    BrokerPosition,
    Unreadable,
    Watermark,
)
from execution.broker.alpaca import reading
from execution.broker.alpaca.executions import Executions, of_activity
from execution.broker.alpaca.http import AlpacaHttp, Answer
from execution.broker.alpaca.reading import Odd

OVERLAP_US: Final = 60_000_000  # twice the quarantine: an order may be accepted, and seen, that much later
ORDERS_PAGE: Final = 500  # Alpaca's largest
ACTIVITIES_PAGE: Final = 100
PAGES_MAX: Final = 10_000
SAME_INSTANT_US: Final = (
    1_000  # pages overlap by Alpaca's resolution: orders of one instant may lie on two of them
)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Reader:
    """One reading of the books."""

    def __init__(self, http: AlpacaHttp, executions: Executions, since: Watermark | None) -> None:
        self._http = http
        self._executions = executions
        self._since = since
        self._start_us = 0 if since is None else max(0, since.at_us - OVERLAP_US)
        self._orders: dict[str, BrokerOrder] = {}
        self._sent_us: dict[str, int] = {}
        self._absent: set[str] = set()
        self._fills: list[
            tuple[str, str, Decimal, BrokerFill]
        ] = []  # when, of which order, how much of it by then
        self._odd: list[Unreadable] = []
        self._first: Answer | None = None
        self._seqs: list[int] = []

    async def read(self) -> Books:
        await self._read_orders("all", self._start_us)
        if self._since is not None:
            await self._read_orders("open", 0)
            for broker_id in self._since.open.keys() - self._orders.keys():
                await self._read_order(broker_id)
        await self._read_fills()
        positions = await self._read_positions()
        return Books(
            orders=list(self._orders.values()),
            fills=[fill for *_, fill in sorted(self._fills, key=lambda each: each[:3])],
            positions=positions,
            odd=self._odd,
            watermark=self._watermark(),
            seq=min(self._seqs, default=None),
        )

    # -- orders

    async def _read_orders(self, status: str, after_us: int) -> None:
        question = {"status": status, "limit": str(ORDERS_PAGE), "direction": "asc", "nested": "true"}
        seen: set[str] = set()
        for _ in range(PAGES_MAX):
            page = await self._list("/v2/orders", {**question, "after": _stamp(after_us)})
            for told in page:
                self._take_order(told)
            ids = {repr(told.get("id")) for told in page if isinstance(told, dict)}
            if len(page) < ORDERS_PAGE:
                return
            if ids <= seen:
                raise BrokerDown(f"/v2/orders repeats itself after {_stamp(after_us)}")
            seen |= ids
            after_us = max(after_us, _sent_us(page[-1]) - SAME_INSTANT_US)
        raise BrokerDown(f"/v2/orders has no end after {PAGES_MAX:,} pages")

    async def _read_order(self, broker_id: str) -> BrokerOrder | None:
        told, answer = await self._http.look(f"/v2/orders/{broker_id}", {"nested": "true"})
        self._heard(answer)
        if told is None:
            return None
        self._take_order(told)
        return self._orders.get(broker_id)

    def _take_order(self, told: Any) -> None:
        try:
            for order, body in reading.with_exits(told):
                self._orders[order.broker_id] = order
                self._sent_us[order.broker_id] = _sent_us(body)
                self._executions.saw(order)
        except Odd as odd:
            self._keep_odd(told, f"an order of the books: {odd}")

    # -- fills

    async def _read_fills(self) -> None:
        path = "/v2/account/activities/FILL"
        question = {"direction": "asc", "page_size": str(ACTIVITIES_PAGE), "after": _stamp(self._start_us)}
        for _ in range(PAGES_MAX):
            page = await self._list(path, question)
            for told in page:
                await self._take_activity(told)
            if len(page) < ACTIVITIES_PAGE:
                return
            token = page[-1].get("id") if isinstance(page[-1], dict) else None
            if not isinstance(token, str) or token == question.get("page_token"):
                raise BrokerDown(f"{path} does not say where its next page begins")
            question["page_token"] = token
        raise BrokerDown(f"{path} has no end after {PAGES_MAX:,} pages")

    async def _take_activity(self, told: Any) -> None:
        try:
            body = reading.fields(told)
            broker_id = reading.text(body, "order_id")
            fill = reading.activity(body, await self._coid_of(broker_id), of_activity(body))
            filled = Decimal(reading.number(body, "cum_qty"))
        except Odd as odd:
            self._keep_odd(told, f"a fill of the books: {odd}")
        else:
            self._fills.append((fill.filled_at, broker_id, filled, fill))

    async def _coid_of(self, broker_id: str) -> str:
        """Whose fill it is; asked for when its order is too old to be listed."""
        coid = self._executions.coid_of(broker_id)
        if coid is None and broker_id not in self._absent:
            order = await self._read_order(broker_id)
            coid = None if order is None else order.coid
        if coid is None:
            self._absent.add(broker_id)
            raise Odd(f"its order {broker_id} cannot be found")
        return coid

    # -- positions

    async def _read_positions(self) -> list[BrokerPosition]:
        page = await self._list("/v2/positions", {})
        try:
            return [reading.position(told) for told in page]
        except Odd as odd:  # a position that is left out would be taken for none
            raise BrokerDown(f"/v2/positions tells of something unreadable: {odd}") from odd

    # -- all of them

    async def _list(self, path: str, question: dict[str, str]) -> list[Any]:
        told, answer = await self._http.look(path, question)
        self._heard(answer)
        if not isinstance(told, list):
            raise BrokerDown(f"{path} was answered with something that is no list: {repr(told)[:200]}")
        return told

    def _heard(self, answer: Answer) -> None:
        self._first = self._first or answer
        if answer.seq is not None:
            self._seqs.append(answer.seq)

    def _keep_odd(self, told: Any, problem: str) -> None:
        self._odd.append(reading.unreadable(repr(told), problem))

    def _watermark(self) -> Watermark | None:
        """A broker that tells no time is read from where it was, again."""
        assert self._first is not None, "something was asked"
        if self._first.at_s is None:
            return self._since
        before = {} if self._since is None else self._since.open
        owing = self._owing(before)
        return Watermark(
            min([int(self._first.at_s * 1e6), *(self._sent_us[broker_id] for broker_id in owing)]),
            {
                broker_id: before.get(broker_id, "0") if broker_id in owing else order.filled_qty
                for broker_id, order in self._orders.items()
                if order.state is None or order.state in OPEN
            },
        )

    def _owing(self, before: dict[str, str]) -> set[str]:
        """Orders that filled more than the fills say."""
        told: dict[str, Decimal] = defaultdict(Decimal)
        for _, broker_id, filled, fill in self._fills:
            if filled > Decimal(before.get(broker_id, "0")):
                told[broker_id] += Decimal(fill.qty)
        return {
            broker_id
            for broker_id, order in self._orders.items()
            if told[broker_id] < Decimal(order.filled_qty) - Decimal(before.get(broker_id, "0"))
        }


def _sent_us(told: Any) -> int:
    """When the broker took it; an order that does not say so might be as old as the account."""
    for name in ("submitted_at", "created_at"):
        try:
            return reading.instant_us(reading.fields(told), name)
        except Odd:
            continue
    return 0


def _stamp(at_us: int) -> str:
    return (_EPOCH + timedelta(microseconds=at_us)).isoformat(timespec="microseconds").replace("+00:00", "Z")
