"""The matching engine: one account, its orders, and the tape that moves its market.

Pure: no clock, no randomness, no I/O; `now_us` comes in with every call.  The server calls it over HTTP and
the parity gate calls it in-process under virtual time.  A market order accepted after bar t fills at the open
of its symbol's next bar, under the one cost model (execution/strategy/costs.py).
"""

from collections.abc import Sequence
from math import floor, inf
from typing import Self

import msgspec

from data.bar import Bar, Tick
from execution.exchange import hours, pricing, ticks
from execution.exchange.holdings import Holdings
from execution.exchange.lifecycle import shares_for
from execution.exchange.orders import Event, Fill, Order, OrderStatus, Side, TimeInForce
from execution.exchange.sessions import Sessions
from execution.exchange.state import State
from execution.exchange.terms import Queue, Terms


class Account(Sessions):
    """The books of one account.  A command either returns a Reject and changes nothing, or takes effect."""

    @classmethod
    def restored(
        cls, terms: Terms, holdings: Holdings, state: State, orders: Sequence[Order], fills: Sequence[Fill]
    ) -> Self:
        """The account as its books describe it; the caller sets what is counted and listed."""
        account = cls(terms)
        account.holdings = holdings
        account.state = state
        account._restore(orders, fills)
        account._limit_margin()
        return account

    # -- the market moves

    def on_bar(self, bars: Sequence[Bar], now_us: int) -> list[Event]:
        """Moves the market to these bars, all of one instant; bars the tape has already passed do nothing."""
        if not bars or (self.clock_us is not None and bars[0].ts_us <= self.clock_us):
            return []
        first = len(self._changes.events)
        ts_us = bars[0].ts_us
        self._come_to(ts_us, now_us)
        for bar in bars:
            if bar.symbol in self._open:
                self._match_bar(bar, now_us)
            self.holdings.marks[bar.symbol] = bar.close
        self.clock_us = ts_us
        self._reach(ts_us + hours.BAR_US[bars[0].timeframe], now_us)
        return self._changes.events[first:]

    def on_ticks(self, shown: Sequence[Tick], now_us: int) -> list[Event]:
        """Moves the market to these ticks, all of one instant; those the market has already passed do nothing."""
        market_us = self.state.market_us
        if not shown or (market_us is not None and shown[0].ts_us < market_us):
            return []
        first = len(self._changes.events)
        ts_us = shown[0].ts_us
        self._come_to(ts_us, now_us)
        for tick in shown:
            known = ticks.after(self.state.quotes.get(tick.symbol), tick)
            self.state.quotes[tick.symbol] = known
            self.state.ticked_us[tick.symbol] = ts_us
            if tick.symbol in self._open:
                self._match_tick(tick, known, now_us)
            mark = ticks.mark(known)
            if mark is not None:
                self.holdings.marks[tick.symbol] = mark
        self._reach(ts_us, now_us)
        return self._changes.events[first:]

    def halt(self, symbol: str, halted: bool) -> None:
        """Stops trading in a symbol, or lets it go on."""
        self._changes.moved = True
        if halted:
            self.state.halted.add(symbol)
        else:
            self.state.halted.discard(symbol)

    # -- bars

    def _match_bar(self, bar: Bar, now_us: int) -> None:
        """Whoever can trade at the open does, in the order they came; then whoever a price within reaches."""
        share = self.terms.participation
        left = inf if share is None else float(floor(bar.volume * share))
        auctions = self._working(bar.symbol, auctions=True)
        for order in auctions:
            if order.time_in_force is TimeInForce.OPG:
                left -= self._at_auction(order, bar, left, now_us)
        if self.state.ticked_us.get(bar.symbol, -1) < bar.ts_us:  # else ticks have matched what it sums up
            met: set[str] = set()
            while waiting := [order for order in self._working(bar.symbol) if order.id not in met]:
                for (
                    order
                ) in waiting:  # an entry that fills sends its exits to market, which meet this bar too
                    met.add(order.id)
                    left -= self._at_open(self.orders[order.id], bar, left, now_us)
            for order in self._working(bar.symbol):
                left -= self._within(self.orders[order.id], bar, left, now_us)
        for order in auctions:
            if order.time_in_force is TimeInForce.CLS:
                left -= self._at_auction(order, bar, left, now_us)

    def _at_open(self, order: Order, bar: Bar, left: float, now_us: int) -> float:
        """One order at the open of a bar, of whose volume `left` shares are to be had; returns what it took."""
        if not order.status.is_working or not _is_live(order, bar.ts_us):
            return 0.0
        if not self._is_trading(order, bar.ts_us):
            if order.time_in_force.is_immediate:
                self._end(order, OrderStatus.CANCELED, now_us)
            return 0.0
        prepared = self._prepared(order, bar.ts_us, bar.open, now_us)
        if prepared is None:
            return 0.0
        order = pricing.seen(prepared, bar.open)
        price = None
        if not pricing.is_waiting_stop(order):
            price = pricing.take(order, bar.open, self.terms.bar_slippage_bps)
        return self._trade(order, price, left, bar.ts_us, now_us)

    def _within(self, order: Order, bar: Bar, left: float, now_us: int) -> float:
        """What a bar does after its open to an order that still waits."""
        if not order.status.is_working or not _is_live(order, bar.ts_us):
            return 0.0
        if not self._is_trading(order, bar.ts_us):
            return 0.0
        through = self.terms.queue is Queue.BACK
        after, price = pricing.inside_bar(order, bar, self.terms.bar_slippage_bps, through)
        return self._trade(after, price, left, bar.ts_us, now_us)

    def _at_auction(self, order: Order, bar: Bar, left: float, now_us: int) -> float:
        """An auction trades at one price: that of the open of its first bar, or of the close of its last."""
        at_us = order.auction_us
        if at_us is None:
            at_us = self._auction_of(order.time_in_force, bar.ts_us)
            order = self._kept(msgspec.structs.replace(order, auction_us=at_us))
        end_us = bar.ts_us + hours.BAR_US[bar.timeframe]
        if order.time_in_force is TimeInForce.OPG:
            to_come, missed, price = end_us <= at_us, bar.ts_us > at_us, bar.open
        else:
            to_come, missed, price = end_us < at_us, bar.ts_us >= at_us, bar.close
        if to_come:
            return 0.0
        taken = 0.0
        if not missed and order.symbol not in self.state.halted:
            prepared = self._prepared(order, bar.ts_us, price, now_us)
            if prepared is None:
                return 0.0
            taken = self._trade(prepared, pricing.auction(prepared, price), left, bar.ts_us, now_us)
        rest = self.orders[order.id]
        if rest.status.is_open:
            self._end(rest, OrderStatus.CANCELED, now_us)
        return taken

    # -- ticks

    def _match_tick(self, tick: Tick, known: Tick, now_us: int) -> None:
        """Whoever crosses the quote takes from what it shows; whoever rests is filled by the trade."""
        share = self.terms.participation
        buys, sells, rests = (
            inf if share is None or size is None else float(floor(size * share))
            for size in (tick.ask_size, tick.bid_size, tick.last_size)
        )
        for each in self._working(tick.symbol):
            order: Order | None = self.orders[each.id]
            if order is None or not order.status.is_working or not _is_live(order, tick.ts_us):
                continue
            if not self._is_trading(order, tick.ts_us):
                continue
            touch = pricing.touch_of(order, tick)
            order = self._prepared(order, tick.ts_us, touch or ticks.mark(known), now_us)
            if order is None:
                continue
            order = pricing.seen(order, tick.last or touch or pricing.stop_of(order) or inf)
            price = None
            if touch is not None and not pricing.is_waiting_stop(order):
                price = pricing.take(order, touch, self.terms.slippage_bps)
            if price is not None or (touch is not None and order.time_in_force.is_immediate):
                taken = self._trade(
                    order, price, buys if order.side is Side.BUY else sells, tick.ts_us, now_us
                )
                buys, sells = (buys - taken, sells) if order.side is Side.BUY else (buys, sells - taken)
                continue
            order, reached = self._queued(order, tick, known)
            rests -= self._trade(order, order.limit_price, min(reached, rests), tick.ts_us, now_us)

    def _queued(self, order: Order, tick: Tick, known: Tick) -> tuple[Order, float]:
        """A resting order after a trade, and how many shares of that trade come to it."""
        if pricing.is_waiting_stop(order) or order.time_in_force.is_immediate:
            return order, 0.0
        if tick.last is not None:
            through = self.terms.queue is Queue.BACK
            if pricing.rests_filled(order, tick.last, through):
                return order, inf
        if self.terms.queue is Queue.FRONT:
            return order, 0.0
        ahead = order.ahead if order.ahead is not None else pricing.queue_ahead(order, known)
        if ahead is None:
            return order, 0.0
        traded = (
            (tick.last_size or 0.0) if tick.last == order.limit_price and order.ahead is not None else 0.0
        )
        return msgspec.structs.replace(order, ahead=max(0.0, ahead - traded)), max(0.0, traded - ahead)

    # -- one order meets one price

    def _trade(self, order: Order, price: float | None, left: float, at_us: int, now_us: int) -> float:
        """Trades what is to be had; what had to be immediate and is not, ends.  Returns the shares traded."""
        if price is not None and order.notional is not None and order.filled_qty == 0.0:
            order = msgspec.structs.replace(order, qty=shares_for(order.notional, price))
        qty = 0.0 if price is None else min(order.leaves_qty, left)
        if order.time_in_force is TimeInForce.FOK and qty < order.leaves_qty:
            qty = 0.0
        if price is not None and qty > 0.0:
            order = self._execute(order, qty, price, at_us, now_us)
        if order.time_in_force.is_immediate and order.status.is_open:
            self._end(order, OrderStatus.CANCELED, now_us)
        elif qty <= 0.0:
            self._kept(order)
        return qty

    def _prepared(self, order: Order, at_us: int, price: float | None, now_us: int) -> Order | None:
        """The order that meets the market; None if it ends instead, its session over or its price too high."""
        if order.first_bar_us is None:
            order = msgspec.structs.replace(order, first_bar_us=at_us)
        elif order.time_in_force is TimeInForce.DAY and self._outlived(order.first_bar_us, at_us):
            self._end(order, OrderStatus.EXPIRED, now_us)
            return None
        if not order.priced and price is not None:
            self.holdings.marks.setdefault(order.symbol, price)
            if self.holdings.exposure > self.holdings.exposure_limit:
                self._end(order, OrderStatus.REJECTED, now_us)
                return None
            order = msgspec.structs.replace(order, priced=True)
        return order

    def _kept(self, order: Order) -> Order:
        """Remembers what an order has seen; nobody is told."""
        return order if order is self.orders[order.id] else self._put(order)

    def _working(self, symbol: str, auctions: bool = False) -> list[Order]:
        """The orders that wait for this market, or for its auctions, oldest first."""
        return [
            order
            for order in map(self.orders.__getitem__, self._open.get(symbol, ()))
            if order.status.is_working and order.time_in_force.is_auction == auctions
        ]


def _is_live(order: Order, at_us: int) -> bool:
    """Had it reached the market by then?"""
    return order.live_at_us is None or at_us >= order.live_at_us
