"""Which orders and activities a list route is asked for: Alpaca's query parameters and its pages."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice

import msgspec

from execution.exchange import statements, wire
from execution.exchange.matching import Account
from execution.exchange.orders import Fill, Order, OrderStatus, Reason, Reject
from execution.exchange.state import Activity

Entry = Fill | Activity

ORDERS_PAGE_SIZE_MAX = 500  # Alpaca's limits
ACTIVITIES_PAGE_SIZE_MAX = 100


class OrderFilter(msgspec.Struct, frozen=True, kw_only=True):
    """GET /v2/orders."""

    status: str
    limit: int
    newest_first: bool
    after_us: int | None
    until_us: int | None
    symbols: frozenset[str]
    side: str | None
    nested: bool  # legs are told with the order that they belong to, not beside it

    def page(self, account: Account) -> list[Order]:
        candidates: Iterable[Order]
        if self.status == "open":  # few among many
            working = account.open_orders()
            if self.nested:  # the order that began the group may have ended
                working += [each for order in working for each in account.group_of(order)]
            candidates = sorted(
                {order.id: order for order in working}.values(),
                key=lambda order: order.submitted_at_us,
                reverse=self.newest_first,
            )
        else:
            orders = account.orders.values()
            candidates = reversed(orders) if self.newest_first else orders
        accepted = (
            order
            for order in candidates
            if (self._accepts_group(account, order) if self.nested else self._accepts(order))
        )
        return list(islice(accepted, self.limit))

    def _accepts_group(self, account: Account, order: Order) -> bool:
        if order.is_leg:
            return False
        if order.status is OrderStatus.REPLACED:
            return self._accepts(order)
        return self._accepts(order) or any(map(self._accepts, account.legs_of(order)))

    def _accepts(self, order: Order) -> bool:
        return (
            (self.status == "all" or order.status.is_open == (self.status == "open"))
            and (self.after_us is None or order.submitted_at_us > self.after_us)
            and (self.until_us is None or order.submitted_at_us < self.until_us)
            and (not self.symbols or order.symbol in self.symbols)
            and (self.side is None or order.side == self.side)
        )


class ActivityFilter(msgspec.Struct, frozen=True, kw_only=True):
    """GET /v2/account/activities."""

    kinds: frozenset[str]  # empty: all
    limit: int
    newest_first: bool
    after_us: int | None
    until_us: int | None
    order_id: str | None
    page_token: str | None

    def page(self, account: Account) -> list[Entry] | Reject:
        """The next entries, in the order of their stamps, which never repeat."""
        entries = self._entries(account)
        first = 0 if self.after_us is None else bisect_right(entries, self.after_us, key=_at_us)
        last = len(entries) if self.until_us is None else bisect_left(entries, self.until_us, key=_at_us)
        if self.page_token is not None:
            index = _index_of(self.page_token, entries)
            if index is None:
                return Reject(Reason.INVALID, f"page_token {self.page_token} names no activity")
            first, last = (first, min(last, index)) if self.newest_first else (max(first, index + 1), last)
        indexes = reversed(range(first, last)) if self.newest_first else range(first, last)
        return list(islice(filter(self._accepts, (entries[index] for index in indexes)), self.limit))

    def _entries(self, account: Account) -> Sequence[Entry]:
        if not account.activities:
            return account.fills
        both: list[Entry] = [*account.fills, *account.activities]
        return sorted(both, key=_at_us)

    def _accepts(self, entry: Entry) -> bool:
        kind = "FILL" if isinstance(entry, Fill) else entry.kind
        if self.kinds and kind not in self.kinds:
            return False
        return self.order_id is None or (isinstance(entry, Fill) and entry.order_id == self.order_id)


def order_filter(query: Mapping[str, str]) -> OrderFilter | Reject:
    try:
        status = query.get("status", "open")
        if status not in ("open", "closed", "all"):
            raise ValueError(f"status must be open, closed or all, not {status}")
        return OrderFilter(
            status=status,
            limit=count(query, "limit", 50, ORDERS_PAGE_SIZE_MAX),
            newest_first=_newest_first(query),
            after_us=_instant(query, "after"),
            until_us=_instant(query, "until"),
            symbols=frozenset(filter(None, query.get("symbols", "").split(","))),
            side=query.get("side"),
            nested=query.get("nested", "").lower() == "true",
        )
    except ValueError as error:
        return Reject(Reason.INVALID, str(error))


def activity_filter(query: Mapping[str, str], kind: str | None) -> ActivityFilter | Reject:
    """`kind` comes from the path, else the query names any number of them."""
    named = kind or query.get("activity_types", "")
    try:
        return ActivityFilter(
            kinds=frozenset(filter(None, named.split(","))),
            limit=count(query, "page_size", ACTIVITIES_PAGE_SIZE_MAX, ACTIVITIES_PAGE_SIZE_MAX),
            newest_first=_newest_first(query),
            after_us=_instant(query, "after"),
            until_us=_instant(query, "until"),
            order_id=query.get("order_id"),
            page_token=query.get("page_token") or None,
        )
    except ValueError as error:
        return Reject(Reason.INVALID, str(error))


def count(query: Mapping[str, str], field: str, default: int, largest: int, smallest: int = 1) -> int:
    text = query.get(field, str(default))
    if not text.isdecimal() or not smallest <= int(text) <= largest:
        raise ValueError(f"{field} must be a number from {smallest} to {largest}, not {text}")
    return int(text)


def _newest_first(query: Mapping[str, str]) -> bool:
    direction = query.get("direction", "desc")
    if direction not in ("asc", "desc"):
        raise ValueError(f"direction must be asc or desc, not {direction}")
    return direction == "desc"


def _instant(query: Mapping[str, str], field: str) -> int | None:
    text = query.get(field)
    if text is None:
        return None
    try:
        return wire.stamp_us(text.replace(" ", "+"))  # an unescaped "+" of a zone arrives as a space
    except (ValueError, OverflowError):
        raise ValueError(f"{field} must be an RFC 3339 timestamp, not {text}") from None


def _index_of(page_token: str, entries: Sequence[Entry]) -> int | None:
    """Where the entry stands that an activity id names: its milliseconds narrow it down, the rest decides."""
    try:
        at = datetime.strptime(page_token.partition("::")[0] + "000", "%Y%m%d%H%M%S%f").replace(tzinfo=UTC)
    except ValueError:
        return None
    start_us = wire.since_epoch_us(at)
    first = bisect_left(entries, start_us, key=_at_us)
    last = bisect_left(entries, start_us + 1_000, key=_at_us)
    return next((i for i in range(first, last) if statements.activity_id(entries[i]) == page_token), None)


def _at_us(entry: Entry) -> int:
    return entry.at_us
