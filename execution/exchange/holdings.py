"""What an account owns and owes: cash, positions, last prices, and the shares its open orders stand for.

Money is float, in exactly the order of operations of the research kernel:

    cash = cash - qty * price - commission  (qty signed)        equity = cash + shares * close
"""

from execution.exchange.orders import QTY_DECIMALS, Position, Side
from execution.exchange.terms import Terms


class Holdings:
    def __init__(self, terms: Terms) -> None:
        self.cash = terms.cash
        self.positions: dict[str, Position] = {}  # without flat ones
        self.marks: dict[str, float] = {}  # last close of each symbol
        self.multiplier = terms.multiplier  # of equity: how much exposure is allowed
        self._pending: dict[
            str, tuple[float, float]
        ] = {}  # symbol -> shares open to buy, shares open to sell

    def qty(self, symbol: str) -> float:
        position = self.positions.get(symbol)
        return 0.0 if position is None else position.qty

    def held_for_orders(self, symbol: str) -> float:
        """How many of the position's shares open orders already stand to close."""
        buys, sells = self._pending.get(symbol, (0.0, 0.0))
        qty = self.qty(symbol)
        return min(abs(qty), sells if qty > 0 else buys)

    @property
    def equity(self) -> float:
        equity = self.cash
        for symbol, position in self.positions.items():
            equity = equity + position.qty * self.marks[symbol]
        return equity

    @property
    def exposure(self) -> float:
        """Gross market value if every open order that adds to it were filled at the last close."""
        return sum(self.exposure_to(symbol) for symbol in self.positions.keys() | self._pending.keys())

    @property
    def exposure_limit(self) -> float:
        return self.multiplier * self.equity

    @property
    def buying_power(self) -> float:
        return max(0.0, self.exposure_limit - self.exposure)

    def exposure_to(self, symbol: str, extra_qty: float = 0.0) -> float:
        """The symbol's largest market value over every way its open orders, and `extra_qty`, may fill."""
        buys, sells = self._pending.get(symbol, (0.0, 0.0))
        qty = self.qty(symbol)
        longest = abs(qty + buys + max(extra_qty, 0.0))
        shortest = abs(qty - sells + min(extra_qty, 0.0))
        return max(longest, shortest) * self.marks.get(symbol, 0.0)

    def reserve(self, symbol: str, side: Side, qty: float) -> None:
        """Counts the open shares of an order; a negative `qty` releases them."""
        buys, sells = self._pending.get(symbol, (0.0, 0.0))
        if side is Side.BUY:
            buys = round(buys + qty, QTY_DECIMALS)
        else:
            sells = round(sells + qty, QTY_DECIMALS)
        assert min(buys, sells) >= 0.0, f"released more of {symbol} than was reserved"
        if buys == 0.0 and sells == 0.0:
            self._pending.pop(symbol, None)
        else:
            self._pending[symbol] = (buys, sells)

    def settle(self, symbol: str, signed_qty: float, price: float, commission: float) -> None:
        """Exchanges cash for shares (or the reverse, when `signed_qty` is negative)."""
        self.cash = self.cash - signed_qty * price - commission
        self.marks.setdefault(symbol, price)
        held = self.positions.get(symbol)
        if held is None:
            self.positions[symbol] = Position(signed_qty, price)
            return
        qty = round(held.qty + signed_qty, QTY_DECIMALS)
        if qty == 0.0:
            del self.positions[symbol]
        elif held.qty * signed_qty > 0.0:  # adds
            cost = abs(held.qty) * held.average_entry + abs(signed_qty) * price
            self.positions[symbol] = Position(qty, cost / abs(qty))
        elif held.qty * qty < 0.0:  # through zero: what is left was entered now
            self.positions[symbol] = Position(qty, price)
        else:
            self.positions[symbol] = Position(qty, held.average_entry)
