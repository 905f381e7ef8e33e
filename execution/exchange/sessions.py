"""Days and sessions in the life of an account: what ends with them, what is booked, who may trade when.

The day is that of the tape, in New York.  Sessions matter to accounts whose terms name a calendar; on the others
the market is open whenever the tape moves, and only auctions ask the calendar.
"""

from uuid import uuid5

import msgspec

from execution.exchange import hours
from execution.exchange.commands import Commands
from execution.exchange.hours import Phase, Toll
from execution.exchange.orders import EventKind, Order, OrderStatus, TimeInForce
from execution.exchange.state import Activity, ActivityKind, DayClose
from execution.exchange.terms import TAPE_HOURS
from execution.strategy.costs import borrow_fee, debit_interest


class Sessions(Commands):
    def _come_to(self, at_us: int, now_us: int) -> None:
        """The market has come to an instant: days and sessions end, and what was on its way arrives."""
        self._changes.moved = True
        if self.state.day_ends_us is None or at_us >= self.state.day_ends_us:
            self._turn_day(at_us, now_us)
        if self.terms.hours != TAPE_HOURS:
            self._ring(at_us, now_us)
        if self._due:
            self._advance(at_us, now_us)

    def _reach(self, until_us: int, now_us: int) -> None:
        """The market has been shown until an instant."""
        market_us = self.state.market_us
        until_us = until_us if market_us is None else max(until_us, market_us)  # ticks lie before their bar
        self.state.market_us = until_us
        if self.terms.hours != TAPE_HOURS:
            self._ring(until_us, now_us)

    def _is_trading(self, order: Order, at_us: int) -> bool:
        """Is its market open to it?"""
        if order.symbol in self.state.halted:
            return False
        if self.terms.hours == TAPE_HOURS:
            return True
        phase = hours.phase(at_us, self.terms.hours)
        return phase is Phase.REGULAR or (phase is Phase.EXTENDED and order.extended_hours)

    def _outlived(self, first_us: int, at_us: int) -> bool:
        """Has a day order come to another day?  Where sessions are known, their close has ended it before."""
        return hours.day_of(first_us) != hours.day_of(at_us)

    # -- days

    def _turn_day(self, at_us: int, now_us: int) -> None:
        state, holdings = self.state, self.holdings
        ended_us, state.day_ends_us = state.day_ends_us, hours.day_end_us(at_us)
        if ended_us is None:
            return
        day = hours.day_of(ended_us - 1)
        nights = float((hours.day_of(at_us) - day).days)
        self._book_interest(nights, day.isoformat(), now_us)
        if state.accrued_fees > 0.0:
            fees, state.accrued_fees = state.accrued_fees, 0.0
            self._book(ActivityKind.FEE, -fees, day.isoformat(), "regulatory fees on sales", now_us)
        state.day_marks = dict(holdings.marks)
        state.day_positions = dict(holdings.positions)
        state.day_equity = holdings.equity
        close = DayClose(day.isoformat(), state.day_equity)
        self.days.append(close)
        self._changes.days.append(close)

    def _book_interest(self, nights: float, day: str, now_us: int) -> None:
        terms, holdings = self.terms, self.holdings
        interest = debit_interest(holdings.cash, nights, terms.interest_bps)
        if interest > 0.0:
            self._book(ActivityKind.INTEREST, -interest, day, "interest on cash below zero", now_us)
        for symbol, position in holdings.positions.items():
            fee = borrow_fee(position.qty, holdings.marks[symbol], nights, terms.borrow_bps)
            if fee > 0.0:
                self._book(ActivityKind.FEE, -fee, day, f"borrow fee on {symbol}", now_us)

    def _book(self, kind: ActivityKind, amount: float, day: str, description: str, now_us: int) -> None:
        self.holdings.cash += amount
        activity = Activity(
            id=str(uuid5(self._uuid, f"{kind} {day} {description}")),
            kind=kind,
            at_us=self._stamp(now_us),
            day=day,
            net_amount=amount,
            description=description,
        )
        self.activities.append(activity)
        self._changes.activities.append(activity)

    # -- sessions

    def _ring(self, until_us: int, now_us: int) -> None:
        """Every bell until an instant: the close ends day orders, the evening those of extended hours."""
        calendar = self.terms.hours
        if self.state.bell_us is None:
            self.state.bell_us = until_us
        while (bell := hours.next_bell(self.state.bell_us, calendar)).at_us <= until_us:
            self.state.bell_us = bell.at_us
            for order in self.open_orders():
                current = self.orders[order.id]  # an earlier one may have ended its group
                if current.status.is_open and not current.is_coming:
                    self._toll(current, bell.toll, now_us)

    def _toll(self, order: Order, toll: Toll, now_us: int) -> None:
        day = order.time_in_force is TimeInForce.DAY and order.status is not OrderStatus.HELD
        if toll is Toll.OPEN:
            if order.status is OrderStatus.DONE_FOR_DAY:
                status = OrderStatus.PARTIALLY_FILLED if order.filled_qty else OrderStatus.NEW
                self._put(msgspec.structs.replace(order, status=status))
        elif day and order.extended_hours == (toll is Toll.EXTENDED_END):
            self._end(order, OrderStatus.EXPIRED, now_us)
        elif (
            toll is Toll.CLOSE
            and not order.extended_hours
            and order.status in (OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED)
            and order.time_in_force is TimeInForce.GTC
        ):
            done = msgspec.structs.replace(
                order, status=OrderStatus.DONE_FOR_DAY, updated_at_us=self._stamp(now_us)
            )
            self._emit(EventKind.DONE_FOR_DAY, done)
