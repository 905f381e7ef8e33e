"""Orders that fill while the request to cancel or to replace them is on its way."""

from execution.exchange.matching import Account
from execution.exchange.orders import Event, Order, OrderStatus, Reject, ReplaceRequest


def fill_price_of(account: Account, order: Order) -> float | None:
    """What a race is filled at: the order's limit, else the last price; None when it cannot fill."""
    if not order.status.is_open or order.status is OrderStatus.HELD:
        return None
    return account.holdings.marks.get(order.symbol) if order.limit_price is None else order.limit_price


def cancel_too_late(account: Account, order_id: str, price: float, now_us: int) -> Event | Reject:
    asked = account.cancel(order_id, now_us, on_its_way=True)
    if not isinstance(asked, Reject):
        account.fill_whole(account.orders[order_id], price, now_us)
    return asked


def replace_too_late(
    account: Account, order_id: str, request: ReplaceRequest, price: float, now_us: int
) -> Order | Reject:
    """The new order as it is answered; by then the books have it as rejected."""
    coming = account.replace(order_id, request, now_us, on_its_way=True)
    if not isinstance(coming, Reject):
        account.fill_whole(account.orders[order_id], price, now_us)
    return coming
