"""The accounts an exchange hosts: who may use them, the one way to change them, and who hears of it.

A command runs in memory, its changes are committed to the books, then its events go to the streams, and only
then does the caller reply.  Nothing awaits in between, so commands on an account never overlap.
"""

import asyncio
import hmac
import secrets
import time
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

import msgspec

from execution.exchange import hours, wire
from execution.exchange.books import Books, Keys
from execution.exchange.faults import FaultKind, Faults, ids
from execution.exchange.faults.events import EventFaults
from execution.exchange.limits import Limits, Usage
from execution.exchange.matching import Account
from execution.exchange.orders import Reason, Reject
from execution.exchange.register import Changes
from execution.exchange.terms import TAPE_HOURS, Terms

Result = TypeVar("Result")


class Listener(Protocol):
    """Somebody who hears an account's events; offering must not block."""

    def offer(self, frame: bytes) -> None: ...

    def drop(self) -> None: ...


class Hosted:
    """One account with its keys, its listeners and its faults."""

    def __init__(self, books: Books, account: Account, keys: Keys, created_at_us: int) -> None:
        self.id = account.id
        self.keys = keys
        self.created_at_us = created_at_us
        self.listeners: set[Listener] = set()
        self.faults = Faults()
        self.event_faults = EventFaults(self.faults)
        self.hidden: dict[str, float] = {}  # orders that a fault hides, and until when by the monotonic clock
        self.limits = Limits()
        self.usage = Usage()
        self._books = books
        self._account: Account | None = account

    @property
    def account(self) -> Account:
        """The account as the books have it."""
        if self._account is None:
            self._account = self._books.account(self.id)[0]
        return self._account

    def forget(self) -> None:
        """Memory may be ahead of the books: the next look reads them again."""
        self._account = None

    def publish(self, changes: Changes) -> None:
        if not self.listeners and not self.faults:
            return
        for event in changes.events:
            order, frame = event.order, ids.shown(msgspec.json.encode(wire.trade_update(event)))
            self._stream(self.event_faults.frames(frame, order.symbol, ids.plain(order.client_order_id)))

    def _stream(self, frames: Sequence[bytes]) -> None:
        for frame in frames:
            for listener in list(self.listeners):
                listener.offer(frame)

    def clear_faults(self, kind: FaultKind | None = None) -> None:
        self.faults.clear(kind)
        if kind in (None, FaultKind.HIDE_ORDER):
            self.hidden.clear()
        if kind in (None, FaultKind.REORDER_EVENTS):
            self._stream(self.event_faults.let_go())

    def drop_listeners(self) -> None:
        for listener in list(self.listeners):
            listener.drop()


class Exchange:
    def __init__(self, books: Books) -> None:
        self.books = books
        self._by_key = {
            keys.key_id: Hosted(books, account, keys, at) for account, keys, at in books.accounts()
        }
        self._by_id = {hosted.id: hosted for hosted in self._by_key.values()}

    @property
    def hosted(self) -> list[Hosted]:
        return list(self._by_id.values())

    def admit(self, key_id: str, secret_key: str) -> Hosted | None:
        """The account these keys belong to; None when they belong to none."""
        hosted = self._by_key.get(key_id)
        if hosted is None or not hmac.compare_digest(
            hosted.keys.secret_key.encode(), secret_key.encode(errors="surrogateescape")
        ):
            return None
        return hosted

    def open_account(self, terms: Terms, named: frozenset[str]) -> Keys | Reject:
        """Opens an account, or finds it again: only terms that the caller `named` must be those it has."""
        hosted = self._by_id.get(terms.account_id)
        if hosted is not None:
            known = hosted.account.terms
            other = sorted(field for field in named if getattr(known, field) != getattr(terms, field))
            if other:
                return Reject(
                    Reason.INVALID,
                    f"account {terms.name} exists with another {', '.join(other)}; name a new one",
                )
            return hosted.keys
        # Unlike Alpaca's PK… (paper) and AK… (live), so that no key can pass for one of those.
        keys = Keys("SIM" + secrets.token_hex(9).upper(), secrets.token_urlsafe(30))
        account, now_us = Account(terms), wall_us()
        self.books.open_account(account, keys, now_us)
        hosted = Hosted(self.books, account, keys, now_us)
        self._by_key[keys.key_id] = self._by_id[account.id] = hosted
        return keys

    def apply(self, hosted: Hosted, command: Callable[[Account, int], Result]) -> Result:
        """Runs a command on the account; when this returns, its effect is durable and announced."""
        account = hosted.account
        try:
            result = command(account, wall_us())
            changes = account.take_changes()
            if changes:
                self.books.write(account, changes)
        except Exception:
            hosted.forget()
            raise
        hosted.publish(changes)
        return result


async def know_sessions(calendar: str) -> None:
    """Loads a calendar beside the event loop, so that no other account waits for it."""
    if calendar != TAPE_HOURS and not hours.is_loaded(calendar):
        await asyncio.to_thread(hours.load, calendar)


def wall_us() -> int:
    return time.time_ns() // 1_000
