"""The limits of an account and of its strategies: their names, and which of several is in force.  Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Final


@dataclass(frozen=True, slots=True)
class Limits:
    """In money, shares, seconds and basis points; None: no limit."""

    order_qty_max: float | None = None
    order_notional_max: float | None = None
    position_qty_max: float | None = None  # of a symbol, with all that is open on it
    position_notional_max: float | None = None
    gross_exposure_max: float | None = None  # all symbols, long and short added
    price_collar_bps: float | None = None  # between the price decided on and the newest
    duplicate_window_s: float | None = None
    orders_per_minute_max: float | None = None
    daily_loss_max: float | None = None
    data_age_max_s: float | None = None  # since the end of the symbol's newest bar
    restricted: float | None = None  # 1: nothing of it may be opened


NAMES: Final = tuple(each.name for each in fields(Limits))
OF_ALL_SYMBOLS: Final = frozenset({"gross_exposure_max", "orders_per_minute_max", "daily_loss_max"})
OF_THE_ACCOUNT: Final = frozenset({"daily_loss_max"})
_MORE_IS_TIGHTER: Final = frozenset({"duplicate_window_s", "restricted"})
DUPLICATE_WINDOW_MAX_S: Final = 3600.0  # how far back a check looks for the same order


def off(name: str) -> float:
    """What a limit has to be so that it limits nothing."""
    return 0.0 if name in _MORE_IS_TIGHTER else float("inf")


def tighter(one_: Limits, other: Limits) -> Limits:
    """Both of them, in one."""
    told = {}
    for name in NAMES:
        given = [value for value in (getattr(one_, name), getattr(other, name)) if value is not None]
        told[name] = (max if name in _MORE_IS_TIGHTER else min)(given) if given else None
    return Limits(**told)


def in_force(rows: Iterable[tuple[str, str, str, float]], strategy: str, defaults: Limits) -> Limits:
    """The limits of a scope out of its newest rows (strategy, symbol, name, value); "": those of the account.

    What somebody set takes the place of a default; what is set for a symbol comes on top.
    """
    general = defaults if strategy == "" else Limits()
    of_symbol = Limits()
    for of_strategy, symbol, name, value in rows:
        if of_strategy != strategy or name not in NAMES:
            continue
        if symbol:
            of_symbol = replace(of_symbol, **{name: float(value)})
        else:
            general = replace(general, **{name: float(value)})
    return tighter(general, of_symbol)
