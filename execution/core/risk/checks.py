"""What is refused, and in which words."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from execution.core.bucket import Bucket, Rate, take
from execution.core.intents import Intent
from execution.core.risk.situation import Conditions, Exposure, Scope, Situation

BPS: Final = 1e4


@dataclass(frozen=True, slots=True)
class Refusal:
    """The limit that says no, and the sentence with its numbers."""

    limit: str
    why: str


REFUSED: Final = "refused: "


def told_of(refused: Refusal | None) -> dict[str, str]:
    """How a row tells of it."""
    return {
        "reason": f"{REFUSED}{refused.why}" if refused else "",
        "refused_by": refused.limit if refused else "",
    }


def refusal_of(row: Mapping[str, Any]) -> Refusal | None:
    """What a row tells of."""
    return Refusal(row["refused_by"], row["reason"].removeprefix(REFUSED)) if row["refused_by"] else None


def reduces(intent: Intent, exposure: Exposure) -> bool:
    """Whether the order can only bring the position nearer to zero, however the open orders fill.

    What an operator's command closes is what the broker shows, whether or not we know where that came from.
    """
    if intent.occasion:
        return True
    closing = exposure.open_sells if exposure.position > 0 else exposure.open_buys
    opposite = exposure.position * intent.signed_qty < 0
    return opposite and intent.qty + closing <= abs(exposure.position)


def refusal(intent: Intent, situation: Situation, conditions: Conditions) -> Refusal | None:
    """The first limit that says no; None when the order may go.

    Getting smaller is allowed whatever else is wrong, except where it could hurt: at a price that nobody knows, and on
    a symbol where we do not know what we hold.  A command of an operator closes even there.
    """
    if intent.occasion:
        return None
    return next(_objections(intent, situation, conditions), None)


def take_turn(intent: Intent, situation: Situation, now_us: int) -> dict[str, Bucket]:
    """The buckets after an order that opens, by strategy ("": the account): what had room is taken."""
    now_s = now_us / 1e6
    return {
        name: take(_bucket(scope, now_s), now_s, rate, 0.0)[0]
        for name, scope in (("", situation.account), (intent.strategy, situation.strategy))
        if (rate := _rate(scope)) is not None and not reduces(intent, scope.exposure)
    }


def _objections(intent: Intent, situation: Situation, conditions: Conditions) -> Iterator[Refusal]:
    yield from _not_numbers(intent)
    yield from _collar(intent, situation, conditions)
    if situation.halted is not None:
        yield Refusal("halt", f"{intent.symbol} is halted: {situation.halted}")
    if not reduces(intent, situation.account.exposure):
        if situation.mode != "running":
            yield Refusal("mode", f"the account is {situation.mode}")
        yield from _market(intent, situation, conditions)
        yield from _duplicate(intent, situation)
    for scope in situation.scopes:
        if not reduces(intent, scope.exposure):
            yield from _size(intent, scope)
            yield from _rate_of_orders(scope, conditions)


def _not_numbers(intent: Intent) -> Iterator[Refusal]:
    for name, value in (("quantity", intent.qty), ("price", intent.reference_price)):
        if not (math.isfinite(value) and value > 0.0):
            yield Refusal("number", f"the {name} of the order is {value:g}")


def _collar(intent: Intent, situation: Situation, conditions: Conditions) -> Iterator[Refusal]:
    price = conditions.price
    if price is None:
        return  # how old data may be is another limit
    away_bps = abs(intent.reference_price / price - 1.0) * BPS
    for scope in situation.scopes:
        yield from _above(
            scope,
            "price_collar_bps",
            away_bps,
            f"the price {intent.reference_price:,.4f} is {away_bps:,.1f} bps from the newest, {price:,.4f}",
        )


def _market(intent: Intent, situation: Situation, conditions: Conditions) -> Iterator[Refusal]:
    """What a process knows of the market, the registry and the data."""
    for scope in situation.scopes:
        if scope.limits.restricted:
            yield Refusal("restricted", f"{intent.symbol} is restricted for {scope.who}")
    if conditions.unpromoted:
        yield Refusal("promoted", conditions.unpromoted)
    if conditions.unhealthy:
        yield Refusal("data health", conditions.unhealthy)
    if conditions.feed:
        yield Refusal("feed", f"market data is not to be relied on: {conditions.feed}")
    if conditions.closed:
        yield Refusal("session", conditions.closed)
    for scope in situation.scopes:
        age_s = math.inf if conditions.data_age_s is None else conditions.data_age_s
        told = f"the newest bar of {intent.symbol} is {age_s:,.1f} s old"
        if conditions.data_age_s is None:
            told = f"there is no bar of {intent.symbol}"
        yield from _above(scope, "data_age_max_s", age_s, told)
        loss = conditions.day_loss
        yield from _above(scope, "daily_loss_max", loss, f"the day's loss is {loss:,.2f}")


def _duplicate(intent: Intent, situation: Situation) -> Iterator[Refusal]:
    away_s = situation.alike_s
    for scope in situation.scopes:
        window_s = scope.limits.duplicate_window_s
        if window_s is not None and away_s is not None and away_s < window_s:
            yield Refusal(
                "duplicate_window_s",
                f"{intent.strategy} asked to {intent.side} {intent.qty:g} {intent.symbol} {away_s:g} s ago, and the "
                f"duplicate_window_s of {scope.who} is {window_s:g}",
            )


def _size(intent: Intent, scope: Scope) -> Iterator[Refusal]:
    price, exposure = intent.reference_price, scope.exposure
    position = _worst(exposure, intent.signed_qty)
    measured = (
        ("order_qty_max", intent.qty, f"the order's {intent.qty:,.6g} shares"),
        ("order_notional_max", intent.qty * price, f"the order's {intent.qty * price:,.2f}"),
        ("position_qty_max", position, f"a position of up to {position:,.6g} shares"),
        ("position_notional_max", position * price, f"a position of up to {position * price:,.2f}"),
        ("gross_exposure_max", position * price + exposure.gross_elsewhere, "an exposure of up to "
         f"{position * price + exposure.gross_elsewhere:,.2f}"),
    )  # fmt: skip
    for name, value, told in measured:
        yield from _above(scope, name, value, told)


def _rate_of_orders(scope: Scope, conditions: Conditions) -> Iterator[Refusal]:
    rate = _rate(scope)
    if rate is None:
        return
    now_s = conditions.now_us / 1e6
    if rate.size < 1.0:
        yield Refusal("orders_per_minute_max", f"the orders_per_minute_max of {scope.who} is {rate.size:g}")
        return
    _, wait_s = take(_bucket(scope, now_s), now_s, rate, 0.0)
    if wait_s > 0.0:
        yield Refusal(
            "orders_per_minute_max",
            f"the orders_per_minute_max of {scope.who}, {rate.size:g}, is used up; the next may go in {wait_s:.2f} s",
        )


def _above(scope: Scope, name: str, value: float, told: str) -> Iterator[Refusal]:
    limit: float | None = getattr(scope.limits, name)
    if limit is not None and not value <= limit:  # so that what is not a number is above
        yield Refusal(name, f"{told}, above the {name} of {scope.who}, {limit:,.6g}")


def _rate(scope: Scope) -> Rate | None:
    """A burst of a whole minute's orders, and no more than them a minute in the long run."""
    limit = scope.limits.orders_per_minute_max
    return None if limit is None or math.isinf(limit) else Rate(limit / 60.0, limit, 0.0)


def _bucket(scope: Scope, now_s: float) -> Bucket:
    full = Bucket(scope.limits.orders_per_minute_max or 0.0, now_s)
    return full if scope.bucket is None else scope.bucket


def _worst(exposure: Exposure, signed_qty: float) -> float:
    """The largest position, either way, over every way the open orders may fill."""
    longest = exposure.position + exposure.open_buys + max(signed_qty, 0.0)
    shortest = exposure.position - exposure.open_sells + min(signed_qty, 0.0)
    return max(abs(longest), abs(shortest))
