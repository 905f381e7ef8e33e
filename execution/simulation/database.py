"""Postgres, as order flow sees it: rows that survive everything, of one account.

tests/execution/simulation holds it and its store against the real tables, statement by statement.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

from data.control import MODE_AFTER, Verb
from data.limits import DUPLICATE_WINDOW_MAX_S, Limits, in_force
from data.orders import OPEN, signed, unfilled
from execution.broker import BrokerFill
from execution.core.bucket import Bucket
from execution.core.intents import Intent
from execution.core.risk import Exposure, Scope, Situation
from execution.core.risk.day import Held
from execution.core.risk.situation import ACCOUNT
from execution.flow.ports import Row
from execution.simulation.process import Wall

MILDER: Final = frozenset({"pause", "cancel", "flatten"})  # than a flatten or a kill that is in force


@dataclass(slots=True)
class Position:
    """What the fills on a symbol came to."""

    qty: Decimal = Decimal(0)
    average_entry: Decimal = Decimal(0)
    realised: Decimal = Decimal(0)

    def move(self, delta: Decimal, price: Decimal, commission: Decimal) -> None:
        if self.qty * delta < 0:
            closed = min(abs(self.qty), abs(delta))
            self.realised += Decimal(1).copy_sign(self.qty) * closed * (price - self.average_entry)
        self.realised -= commission
        after = self.qty + delta
        if after == 0:
            self.average_entry = Decimal(0)
        elif self.qty * delta >= 0:
            self.average_entry = (self.qty * self.average_entry + delta * price) / after
        elif abs(delta) > abs(self.qty):
            self.average_entry = price
        self.qty = after


@dataclass(slots=True)
class BookPosition:
    """What the fills of an artifact on a symbol came to."""

    strategy: str
    qty: Decimal
    price: Decimal


class Database:
    """The tables."""

    def __init__(
        self,
        account: str,
        wall: Wall,
        saw: Callable[..., None],
        granted: Callable[[], None],
        commanded: Callable[[Verb], None] = lambda _: None,
        believed: Callable[[Row], None] = lambda _: None,
    ) -> None:
        self.account = account
        self.epoch = 0
        self.orders: dict[str, Row] = {}
        self.live: dict[str, Row] = {}  # those of them of which something may still come
        self.decided: dict[str, str] = {}  # by what was decided, which has one name
        self._asked: dict[tuple[Any, ...], list[float]] = defaultdict(
            list
        )  # when the same order was asked for
        self.fills: dict[str, Row] = {}
        self.positions: dict[str, Position] = defaultdict(Position)
        self.books: dict[tuple[str, str], BookPosition] = {}
        self.control: Row = {
            "mode": "running", "revision": 0, "cause": "", "verified_flat_at": None, "cancel_revision": 0,
            "cancelled_revision": 0,
        }  # fmt: skip
        self.causes: set[str] = set()
        self.limits: dict[tuple[str, str, str], float | None] = {}  # strategy, symbol, name
        self.rates: dict[str, Bucket] = {}
        self.days: dict[date, float] = {}
        self.bucket: Bucket | None = None
        self.halts: dict[tuple[str, str], bool] = {}  # symbol, reason -> is it in force?
        self.raw: list[tuple[str, str]] = []
        self.alarms: list[str] = []
        """why engines have paused the account"""
        self._wall = wall
        self._saw = saw
        self._commanded = commanded
        self._believed = believed
        self.granted = granted

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._wall.now_us() / 1e6, UTC)

    def shares(self) -> dict[str, float]:
        return {symbol: float(each.qty) for symbol, each in self.positions.items() if each.qty}

    def held(self) -> list[Held]:
        return [
            Held(symbol, float(each.qty), float(each.average_entry), float(each.realised))
            for symbol, each in sorted(self.positions.items())
        ]

    def added_fills(self) -> dict[str, float]:
        """What the fills of each symbol add up to."""
        added: dict[str, float] = defaultdict(float)
        for row in self.fills.values():
            added[row["symbol"]] += signed(row["side"], float(row["qty"]))
        return added

    def put(self, row: Row, epoch: int) -> None:
        """Write an order row."""
        coid = row["coid"]
        before = self.orders.get(coid)
        self._saw(before, row, (epoch, self.epoch))
        self.orders[coid] = row
        if row["state"] in OPEN or row["reported_qty"] > row["filled_qty"]:
            self.live[coid] = row
        else:
            self.live.pop(coid, None)
        if before is None:
            self.decided[row["decision_key"]] = coid
            if not row["refused_by"]:
                key = row["strategy"], row["symbol"], row["side"], float(row["qty"])
                self._asked[key].append(row["asked_at"].timestamp())

    def enter_fill(self, fill: BrokerFill, order: Row) -> None:
        """What a fill does to the account and to the book whose it is."""
        delta, price = Decimal(fill.qty) * (1 if fill.side == "buy" else -1), Decimal(fill.price)
        self.positions[fill.symbol].move(delta, price, Decimal(fill.commission))
        if order["artifact_hash"] is None:
            return
        key = order["artifact_hash"], fill.symbol
        book = self.books.setdefault(key, BookPosition(order["strategy"], Decimal(0), price))
        book.qty, book.price = book.qty + delta, price
        if not order["occasion"]:
            book.strategy = order["strategy"]

    def command(self, verb: Verb, cause: str = "") -> str:
        """What the function give_command does."""
        control = self.control
        if cause and cause in self.causes:
            return "again"
        if control["mode"] in ("flattening", "killed") and verb in MILDER:
            return "stricter"
        revision = control["revision"] + 1
        changed: Row = {"revision": revision, "cancel_revision": revision}
        if verb != "cancel":
            changed = {
                "revision": revision,
                "mode": MODE_AFTER[verb],
                "cause": cause,
                "verified_flat_at": None,
            }
        self.control = {**control, **changed}
        self.causes.add(cause)
        self._commanded(verb)
        return "done"

    def believe(self, **proved: Any) -> None:
        """An engine says that a command is carried through."""
        self.control = {**self.control, **proved}
        self._believed(proved)

    def limits_of(self, strategy: str, symbol: str, defaults: Limits) -> Limits:
        rows = [
            (*scope, value) for scope, value in self.limits.items()
            if value is not None and scope[0] == strategy and scope[1] in ("", symbol)
        ]  # fmt: skip
        return in_force(rows, strategy, defaults)

    def own_shares(self, strategy: str, symbol: str) -> float:
        """What a strategy's own books hold of a symbol."""
        books = [book for (_, of), book in self.books.items() if of == symbol and book.strategy == strategy]
        return float(sum(book.qty for book in books))

    def situation(self, intent: Intent, defaults: Limits, now_us: int) -> Situation:
        reasons = [why for (symbol, why), halted in self.halts.items() if halted and symbol == intent.symbol]
        books = [each for each in self.books.items() if each[1].strategy == intent.strategy and each[1].qty]
        own: dict[str, float] = defaultdict(float)
        for (_, symbol), book in books:
            own[symbol] += float(book.qty)
        own_price = {symbol: max(float(b.price) for (_, s), b in books if s == symbol) for symbol in own}
        price = own_price | {
            symbol: float(each.average_entry) for symbol, each in self.positions.items() if each.qty
        }
        strategy = intent.strategy
        account_limits = self.limits_of("", intent.symbol, defaults)
        own_limits = self.limits_of(strategy, intent.symbol, defaults)
        looks_for_alike = account_limits.duplicate_window_s or own_limits.duplicate_window_s
        return Situation(
            mode=self.control["mode"],
            revision=self.control["revision"],
            account=Scope(
                ACCOUNT,
                account_limits,
                self._exposure(intent, self.shares(), price, lambda _: True),
                self.rates.get(""),
            ),
            strategy=Scope(
                strategy,
                own_limits,
                self._exposure(intent, own, price, lambda row: row["strategy"] == strategy),
                self.rates.get(strategy),
            ),
            halted=min(reasons, default=None),
            alike_s=self._alike_s(intent, now_us) if looks_for_alike else None,
        )

    def coming(self) -> list[tuple[Row, float]]:
        """The orders of which something may still come, and how much."""
        return [
            (
                row,
                unfilled(row["state"], *(float(row[name]) for name in ("qty", "filled_qty", "reported_qty"))),
            )
            for row in self.live.values()
        ]

    def _exposure(
        self, intent: Intent, held: dict[str, float], price: dict[str, float], counts: Callable[[Row], bool]
    ) -> Exposure:
        buys: dict[str, float] = defaultdict(float)
        sells: dict[str, float] = defaultdict(float)
        asked: dict[str, float] = defaultdict(float)
        for row, left in self.coming():
            asked[row["symbol"]] = max(asked[row["symbol"]], float(row["reference_price"]))
            if counts(row):
                (buys if row["side"] == "buy" else sells)[row["symbol"]] += left
        elsewhere = 0.0
        for symbol in sorted({*held, *buys, *sells} - {intent.symbol}):
            qty = held.get(symbol, 0.0)
            worst = max(abs(qty + buys[symbol]), abs(qty - sells[symbol]))
            elsewhere += worst * (asked[symbol] if symbol in asked else price[symbol])
        return Exposure(held.get(intent.symbol, 0.0), buys[intent.symbol], sells[intent.symbol], elsewhere)

    def _alike_s(self, intent: Intent, now_us: int) -> float | None:
        asked = self._asked[intent.strategy, intent.symbol, intent.side, intent.qty]
        nearest = min((abs(at_s - now_us / 1e6) for at_s in asked), default=None)
        return None if nearest is None or nearest > DUPLICATE_WINDOW_MAX_S else nearest
