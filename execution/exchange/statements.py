"""How an account looks from outside: its balances, positions, activities and history, in Alpaca's JSON."""

from datetime import date, datetime, time, timedelta

from execution.exchange import hours
from execution.exchange.matching import Account
from execution.exchange.orders import Fill, OrderStatus, Position, quantity
from execution.exchange.state import Activity
from execution.exchange.wire import EPOCH, Json, asset_id, price, stamp


def account_json(account: Account, created_at_us: int) -> Json:
    holdings, wishes = account.holdings, account.state.configuration
    values = [position.qty * holdings.marks[symbol] for symbol, position in holdings.positions.items()]
    long_value = sum(value for value in values if value > 0)
    short_value = sum(value for value in values if value < 0)
    gross = long_value - short_value
    power = price(holdings.buying_power)
    before = account.state.day_equity
    return {
        "id": account.id,
        "account_number": account.terms.name,
        "status": "ACTIVE",
        "currency": "USD",
        "cash": price(holdings.cash),
        "equity": price(holdings.equity),
        "portfolio_value": price(holdings.equity),
        "last_equity": price(account.terms.cash if before is None else before),
        "buying_power": power,
        "regt_buying_power": power,
        "non_marginable_buying_power": price(max(0.0, holdings.cash)),
        "long_market_value": price(float(long_value)),
        "short_market_value": price(float(short_value)),
        "initial_margin": price(gross / holdings.multiplier),
        "maintenance_margin": price(gross / holdings.multiplier),
        "accrued_fees": price(account.state.accrued_fees) if account.state.accrued_fees else "0",
        "multiplier": quantity(holdings.multiplier),
        "shorting_enabled": not wishes.no_shorting,
        "trading_blocked": False,
        "transfers_blocked": False,
        "account_blocked": False,
        "trade_suspended_by_user": wishes.suspend_trade,
        "created_at": stamp(created_at_us),
    }


def position_json(symbol: str, position: Position, account: Account) -> Json:
    mark = account.holdings.marks[symbol]
    cost = position.qty * position.average_entry
    profit = position.qty * mark - cost
    before = account.state.day_marks.get(symbol, mark)
    today = _profit_today(position, mark, before, account.state.day_positions.get(symbol))
    free = abs(position.qty) - account.holdings.held_for_orders(symbol)
    asset = account.terms.asset(symbol)
    return {
        "asset_id": asset_id(symbol),
        "symbol": symbol,
        "exchange": asset.exchange,
        "asset_class": "us_equity",
        "asset_marginable": asset.marginable,
        "avg_entry_price": price(position.average_entry),
        "qty": quantity(position.qty),
        "qty_available": quantity(free if position.qty > 0 else -free),
        "side": "long" if position.qty > 0 else "short",
        "market_value": price(position.qty * mark),
        "cost_basis": price(cost),
        "unrealized_pl": price(profit),
        "unrealized_plpc": price(profit / abs(cost) if cost else 0.0),
        "unrealized_intraday_pl": price(today),
        "unrealized_intraday_plpc": price(today / abs(cost) if cost else 0.0),
        "current_price": price(mark),
        "lastday_price": price(before),
        "change_today": price(mark / before - 1.0) if mark != before else "0",
    }


def _profit_today(position: Position, mark: float, before: float, held: Position | None) -> float:
    """Of the shares that were `held` overnight since the last price of that day, of the others since their entry."""
    if held is None or held.qty * position.qty < 0.0:
        return position.qty * (mark - position.average_entry)
    overnight = min(held.qty, position.qty) if position.qty > 0.0 else max(held.qty, position.qty)
    cost_of_the_others = position.qty * position.average_entry - overnight * held.average_entry
    return overnight * (mark - before) + (position.qty - overnight) * mark - cost_of_the_others


def activity_id(entry: Fill | Activity) -> str:
    at = EPOCH + timedelta(microseconds=entry.at_us)
    name = entry.execution_id if isinstance(entry, Fill) else entry.id
    return f"{at:%Y%m%d%H%M%S}{at.microsecond // 1000:03d}::{name}"


def activity_json(entry: Fill | Activity, account_id: str) -> Json:
    if isinstance(entry, Activity):
        return {
            "id": activity_id(entry),
            "account_id": account_id,
            "activity_type": entry.kind,
            "date": entry.day,
            "net_amount": price(entry.net_amount),
            "description": entry.description,
            "status": "executed",
            "created_at": stamp(entry.at_us),
        }
    complete = entry.leaves_qty == 0.0
    return {
        "id": activity_id(entry),
        "account_id": account_id,
        "activity_type": "FILL",
        "type": "fill" if complete else "partial_fill",
        "transaction_time": stamp(entry.at_us),
        "order_id": entry.order_id,
        "client_order_id": entry.client_order_id,
        "execution_id": entry.execution_id,
        "order_status": OrderStatus.FILLED if complete else OrderStatus.PARTIALLY_FILLED,
        "symbol": entry.symbol,
        "side": entry.side,
        "qty": quantity(entry.qty),
        "price": price(entry.price),
        "cum_qty": quantity(entry.cum_qty),
        "leaves_qty": quantity(entry.leaves_qty),
        "commission": price(entry.commission),
        "bar_ts_us": entry.bar_us,
        "seq": entry.seq,
    }


def configuration_json(account: Account) -> Json:
    wishes = account.state.configuration
    return {
        "fractional_trading": wishes.fractional_trading,
        "max_margin_multiplier": wishes.max_margin_multiplier or quantity(account.terms.multiplier),
        "no_shorting": wishes.no_shorting,
        "suspend_trade": wishes.suspend_trade,
        "trade_confirm_email": wishes.trade_confirm_email,
        "ptp_no_exception_entry": wishes.ptp_no_exception_entry,
        "max_options_trading_level": wishes.max_options_trading_level,
    }


def asset_json(symbol: str, account: Account) -> Json:
    asset = account.terms.asset(symbol)
    return {
        "id": asset_id(symbol),
        "class": "us_equity",
        "exchange": asset.exchange,
        "symbol": symbol,
        "name": symbol,
        "status": "active" if asset.active else "inactive",
        "tradable": asset.tradable and asset.active,
        "marginable": asset.marginable,
        "shortable": asset.shortable,
        "easy_to_borrow": asset.easy_to_borrow,
        "fractionable": asset.fractionable,
        "halted": symbol in account.state.halted,  # ours: Alpaca tells it on the market-data stream
    }


def history_json(account: Account, days: int) -> Json:
    """What the account was worth at the end of each of its last `days`, and is worth now."""
    closes = [(day.day, day.equity) for day in account.days]
    if account.state.day_ends_us is not None:
        today = hours.day_of(account.state.day_ends_us - 1).isoformat()
        closes.append((today, account.holdings.equity))
    base = account.terms.cash if len(closes) <= days else closes[-days - 1][1]
    shown = closes[-days:]
    return {
        "timestamp": [_midnight_s(day) for day, _ in shown],
        "equity": [equity for _, equity in shown],
        "profit_loss": [equity - base for _, equity in shown],
        "profit_loss_pct": [equity / base - 1.0 if base else None for _, equity in shown],
        "base_value": base,
        "timeframe": "1D",
    }


def _midnight_s(day: str) -> int:
    return int(datetime.combine(date.fromisoformat(day), time(0), hours.NEW_YORK).timestamp())
