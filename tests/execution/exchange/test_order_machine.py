"""Orders of every kind, canceled, replaced and filled in any order: the books stay true, on disk as in memory."""

from copy import deepcopy
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from exchange_process import MINUTE_US, OPEN_US
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from data.bar import Bar, Tick
from execution.exchange.books import Books
from execution.exchange.host import Exchange, Hosted
from execution.exchange.matching import Account
from execution.exchange.orders import (
    Order,
    OrderClass,
    OrderRequest,
    OrderStatus,
    OrderType,
    ReplaceRequest,
    Role,
    Side,
    StopLoss,
    TimeInForce,
)
from execution.exchange.terms import Queue, Rules, Terms

SYMBOLS = ("AAA", "BBB")
SESSION_MINUTES = 390

symbols = st.sampled_from(SYMBOLS)
prices = st.integers(80_00, 120_00).map(lambda cents: cents / 100)
shares = st.integers(1, 40).map(float) | st.sampled_from([0.5, 2.25])
ENDS = ("fill", "canceled", "expired", "rejected", "replaced")
UNFILLED_ENDS = (OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.REJECTED)
COMPLEX = (OrderClass.BRACKET, OrderClass.OTO, OrderClass.OCO)

moves = st.tuples(symbols, prices, st.floats(0.0, 2.0))
waiting = st.sampled_from([TimeInForce.DAY, TimeInForce.GTC])
at_once = st.sampled_from([TimeInForce.IOC, TimeInForce.FOK, TimeInForce.OPG, TimeInForce.CLS])


class Orders(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.minute = 0
        self.sent = 0
        self.ended: dict[str, Order] = {}
        self.filled: dict[str, float] = {}
        self.asked: dict[str, float] = {}  # shares in all, by the client_order_id of a replacement

    @initialize(
        participation=st.sampled_from([None, 0.01, 0.05]),
        latency_us=st.sampled_from([0, 0, 1, 90_000_000]),
        queue=st.sampled_from(Queue),
        hours=st.sampled_from(["tape", "XNYS"]),
        rules=st.sampled_from(Rules),
    )
    def open_account(self, **market: Any) -> None:
        self.books = Books(Path(self.folder.name) / "books.db")
        self.exchange = Exchange(self.books)
        costs = {"slippage_bps": 5.0, "commission_bps": 2.0, "sale_fee_bps": 1.0, "borrow_bps": 50.0}
        self.exchange.open_account(Terms(name="test", **costs, **market), frozenset())

    @property
    def hosted(self) -> Hosted:
        return self.exchange.hosted[0]

    @property
    def account(self) -> Account:
        return self.hosted.account

    # -- what clients do

    def send(self, request: OrderRequest) -> None:
        self.exchange.apply(self.hosted, lambda account, now_us: account.submit(request, now_us))

    @rule(symbol=symbols, side=st.sampled_from(Side), qty=shares, kind=st.sampled_from(OrderType),
          time_in_force=waiting, price=prices, other=prices, trail=st.booleans(), extended=st.booleans())  # fmt: skip
    def submit(self, symbol: str, side: Side, qty: float, kind: OrderType, time_in_force: TimeInForce,
               price: float, other: float, trail: bool, extended: bool) -> None:  # fmt: skip
        trails = kind is OrderType.TRAILING_STOP
        self.send(
            OrderRequest(
                client_order_id=self.next_id(),
                symbol=symbol,
                side=side,
                qty=qty,
                type=kind,
                time_in_force=time_in_force,
                limit_price=price if kind in (OrderType.LIMIT, OrderType.STOP_LIMIT) else None,
                stop_price=other if kind in (OrderType.STOP, OrderType.STOP_LIMIT) else None,
                trail_price=1.5 if trails and trail else None,
                trail_percent=2.0 if trails and not trail else None,
                extended_hours=extended and kind is OrderType.LIMIT,
            )
        )

    @rule(symbol=symbols, side=st.sampled_from(Side), qty=shares, limit=st.none() | prices, tif=at_once)
    def submit_immediate(
        self, symbol: str, side: Side, qty: float, limit: float | None, tif: TimeInForce
    ) -> None:
        self.send(
            OrderRequest(
                client_order_id=self.next_id(),
                symbol=symbol,
                side=side,
                qty=qty,
                type=OrderType.MARKET if limit is None else OrderType.LIMIT,
                limit_price=limit,
                time_in_force=tif,
            )
        )

    @rule(symbol=symbols, side=st.sampled_from(Side), money=st.integers(100, 5_000).map(float))
    def submit_notional(self, symbol: str, side: Side, money: float) -> None:
        self.send(OrderRequest(client_order_id=self.next_id(), symbol=symbol, side=side, notional=money))

    @rule(symbol=symbols, side=st.sampled_from(Side), qty=shares, tif=waiting, wide=st.floats(0.1, 5.0),
          kind=st.sampled_from(COMPLEX), limited=st.booleans())  # fmt: skip
    def submit_group(self, symbol: str, side: Side, qty: float, tif: TimeInForce, wide: float,
                     kind: OrderClass, limited: bool) -> None:  # fmt: skip
        mark = self.account.holdings.marks.get(symbol, 100.0)
        held = self.account.holdings.qty(symbol)
        if kind is OrderClass.OCO and held:
            side, qty = (Side.SELL if held > 0 else Side.BUY), min(qty, abs(held))
        upward = -side.sign if kind is OrderClass.OCO else side.sign
        profit, loss = round(mark + upward * wide, 2), round(mark - upward * wide, 2)
        is_exit = kind is OrderClass.OCO
        self.send(
            OrderRequest(
                client_order_id=self.next_id(),
                symbol=symbol,
                side=side,
                qty=qty,
                type=OrderType.LIMIT if is_exit else OrderType.MARKET,
                limit_price=profit if is_exit else None,
                time_in_force=tif,
                order_class=kind,
                take_profit=None if kind is OrderClass.OTO and limited else profit,
                stop_loss=None if kind is OrderClass.OTO and not limited else StopLoss(loss),
            )
        )

    @rule(pick=st.integers(0, 200))
    def cancel(self, pick: int) -> None:
        known = list(self.account.orders)
        if known:
            order_id = known[pick % len(known)]
            self.exchange.apply(self.hosted, lambda account, now_us: account.cancel(order_id, now_us))

    @rule(pick=st.integers(0, 200), qty=st.none() | shares, price=prices, tif=st.none() | waiting)
    def replace(self, pick: int, qty: float | None, price: float, tif: TimeInForce | None) -> None:
        known = self.account.open_orders()
        if not known:
            return
        order = known[pick % len(known)]
        request = ReplaceRequest(
            client_order_id=self.next_id(),
            qty=qty,
            time_in_force=tif,
            limit_price=price if order.limit_price is not None else None,
            stop_price=price if order.stop_price is not None else None,
            trail=2.5 if order.type is OrderType.TRAILING_STOP else None,
        )
        self.exchange.apply(self.hosted, lambda account, now_us: account.replace(order.id, request, now_us))
        self.asked[request.client_order_id] = qty or order.qty

    @rule(rare=st.integers(0, 9))
    def cancel_all(self, rare: int) -> None:
        if rare == 0:
            self.exchange.apply(self.hosted, lambda account, now_us: account.cancel_all(now_us))

    # -- what the market does

    @rule(
        moves=st.lists(moves, min_size=1, max_size=2, unique_by=lambda move: move[0]),
        later=st.sampled_from([0, 1, 30, SESSION_MINUTES]),
    )
    def bars(self, moves: list[tuple[str, float, float]], later: int) -> None:
        self.minute += later
        ts_us = OPEN_US + self.minute * MINUTE_US
        bars = [Bar(name, "1m", ts_us, p, p + wide, p - wide, p, 1_000.0) for name, p, wide in moves]
        self.exchange.apply(self.hosted, lambda account, now_us: account.on_bar(bars, now_us))
        self.minute += 1

    @rule(drift=st.floats(-1.5, 1.5))
    def next_bars(self, drift: float) -> None:
        marks = self.account.holdings.marks
        self.bars([(symbol, round(marks.get(symbol, 100.0) + drift, 2), 1.0) for symbol in SYMBOLS], later=0)

    @rule(symbol=symbols, bid=prices, spread=st.sampled_from([0.0, 0.01, 0.5]), size=st.integers(0, 900),
          last=st.none() | prices)  # fmt: skip
    def tick(self, symbol: str, bid: float, spread: float, size: int, last: float | None) -> None:
        ts_us = OPEN_US + self.minute * MINUTE_US
        self.minute += 1
        tick = Tick(symbol, ts_us, bid, bid + spread, last, size, size, size if last else None)
        self.exchange.apply(self.hosted, lambda account, now_us: account.on_ticks([tick], now_us))

    @rule(symbol=symbols, halted=st.booleans())
    def halt(self, symbol: str, halted: bool) -> None:
        self.exchange.apply(self.hosted, lambda account, now_us: account.halt(symbol, halted))

    @rule()
    def reopen_the_books(self) -> None:
        before = picture(self.account)
        self.books.close()
        self.books = Books(Path(self.folder.name) / "books.db")
        self.exchange = Exchange(self.books)
        assert picture(self.account) == before

    # -- what stays true

    @invariant()
    def fills_only_add_up(self) -> None:
        for order in self.account.orders.values():
            assert self.filled.get(order.id, 0.0) <= order.filled_qty <= order.qty
            self.filled[order.id] = order.filled_qty
            parts = [fill for fill in self.account.fills if fill.order_id == order.id]
            assert sum(fill.qty for fill in parts) == pytest.approx(order.filled_qty)

    @invariant()
    def what_ended_stays_as_it_ended(self) -> None:
        for order_id, order in self.ended.items():
            assert self.account.orders[order_id] == order
        for order in self.account.orders.values():
            if not order.status.is_open:
                assert order.pending is None
                self.ended[order.id] = order

    @invariant()
    def money_and_shares_are_those_of_the_fills(self) -> None:
        holdings = self.account.holdings
        held = dict.fromkeys(SYMBOLS, Fraction(0))
        cash = Fraction(self.account.terms.cash)
        for fill in self.account.fills:
            signed = fill.side.sign * Fraction(fill.qty)
            held[fill.symbol] += signed
            cash -= signed * Fraction(fill.price) + Fraction(fill.commission)
        for activity in self.account.activities:
            cash += Fraction(activity.net_amount)
        assert holdings.cash == pytest.approx(float(cash), rel=1e-9, abs=1e-6)
        for symbol, qty in held.items():
            assert holdings.qty(symbol) == pytest.approx(float(qty), abs=1e-6)

    @invariant()
    def reserved_shares_are_those_of_open_orders(self) -> None:
        account = self.account
        for symbol in SYMBOLS:
            expected = {Side.BUY: 0.0, Side.SELL: 0.0}
            for order in account.open_orders(symbol):
                if order.reserves and order.status is not OrderStatus.HELD:
                    expected[order.side] += order.leaves_qty
            buys, sells = account.holdings._pending.get(symbol, (0.0, 0.0))
            assert (buys, sells) == pytest.approx((expected[Side.BUY], expected[Side.SELL]), abs=1e-6)

    @invariant()
    def exits_of_a_group_stand_for_the_same_shares_and_end_together(self) -> None:
        for order in self.account.orders.values():
            if not order.group or order.id != order.group:
                continue
            group = [one for one in self.account.group_of(order) if one.status is not OrderStatus.REPLACED]
            exits = [one for one in group if one.role is not Role.ENTRY and one.status.is_open]
            exits = [one for one in exits if not one.is_coming]  # sized when it arrives
            assert len({one.leaves_qty for one in exits}) <= 1
            assert sum(one.reserves for one in exits) <= 1  # for the same shares
            ended = [one for one in group if one.status in UNFILLED_ENDS]
            ended = [one for one in ended if one.status is not OrderStatus.REJECTED or one.replaces is None]
            assert not (ended and any(one.status.is_open for one in group))
            assert sum(one.status is OrderStatus.FILLED for one in group if one.role is not Role.ENTRY) <= 1

    @invariant()
    def what_is_on_its_way_to_an_order_is_there(self) -> None:
        for order in self.account.orders.values():
            if order.pending is not None and order.pending.replacement is not None:
                assert self.account.orders[order.pending.replacement].is_coming

    @invariant()
    def a_replacement_stands_for_what_the_original_left(self) -> None:
        for order in self.account.orders.values():
            if order.replaces is None:
                continue
            original = self.account.orders[order.replaces]
            if order.is_coming:
                assert original.pending is not None
                assert original.pending.replacement == order.id
            elif original.replaced_by == order.id and not order.group:
                assert order.qty + original.filled_qty == self.asked[order.client_order_id]

    @invariant()
    def events_are_numbered_and_the_open_are_listed(self) -> None:
        account = self.account
        open_ids = {order.id for order in account.orders.values() if order.status.is_open}
        assert {order.id for order in account.open_orders()} == open_ids
        events = self.books.events(account.id, 0, 10_000)
        assert [event.seq for event in events] == list(range(1, account.seq + 1))
        ends = [event.order.id for event in events if event.kind.value in ENDS]
        assert len(ends) == len(set(ends))

    def next_id(self) -> str:
        self.sent += 1
        return f"order-{self.sent}"

    def teardown(self) -> None:
        if hasattr(self, "books"):
            self.books.close()
        self.folder.cleanup()


def picture(account: Account) -> dict[str, object]:
    """Everything an account knows, except what it has yet to write."""
    known = {name: value for name, value in vars(account).items() if name != "_changes"}
    known["holdings"] = dict(vars(account.holdings))
    return deepcopy(known)


TestOrders = pytest.mark.full(Orders.TestCase)
TestOrders.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
