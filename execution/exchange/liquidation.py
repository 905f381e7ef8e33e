"""Closing positions at the market, whole or in part."""

from uuid import uuid4

from execution.exchange.admission import held_for_orders
from execution.exchange.matching import Account
from execution.exchange.orders import Order, OrderRequest, Reason, Reject, Side


def close(account: Account, symbol: str, qty: float | None, now_us: int) -> Order | Reject:
    """A market order that brings the position to zero, or `qty` shares nearer to it."""
    held = account.holdings.qty(symbol)
    if held == 0.0:
        return no_position(symbol)
    wanted = abs(held) if qty is None else qty
    refused = held_for_orders(account, symbol, wanted)
    if refused is not None:
        return refused
    side = Side.SELL if held > 0 else Side.BUY
    request = OrderRequest(client_order_id=str(uuid4()), symbol=symbol, side=side, qty=wanted)
    return account.submit(request, now_us)


def close_all(account: Account, cancel_orders: bool, now_us: int) -> dict[str, Order | Reject]:
    """What came of closing each position, by its symbol."""
    if cancel_orders:
        account.cancel_all(now_us)
    return {symbol: close(account, symbol, None, now_us) for symbol in account.holdings.positions}


def no_position(symbol: str) -> Reject:
    return Reject(Reason.NO_SUCH_POSITION, f"position does not exist: {symbol}")
