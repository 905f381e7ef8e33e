"""What can be traded: an instrument, how its symbol is written, and what happened to its shares."""

import re
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

import polars as pl

from data.calendars import NEW_YORK, ROUND_THE_CLOCK
from data.errors import UsageError

AssetClass = Literal["equity", "crypto", "option"]
Right = Literal["call", "put"]

# Letters, digits and what vendors put between them (BRK.B, BTC/USD); capitals only, so that two symbols
# never meet in one folder of a file system that ignores case.
SYMBOL: Final = re.compile(r"[A-Z0-9][A-Z0-9./_-]{0,31}")

# OCC's way to write an option: root, expiry, right, strike in thousandths.
_OCC: Final = re.compile(r"(?P<root>[A-Z0-9]{1,6})(?P<expiry>\d{6})(?P<right>[CP])(?P<strike>\d{8})")

# Splits and dividends, by the session on whose open they take effect.
ACTION_SCHEMA: Final = pl.Schema(
    {
        "symbol": pl.String(),
        "session": pl.Date(),
        "kind": pl.String(),  # split | dividend
        "ratio": pl.Float64(),  # of a split: new shares for one old
        "amount": pl.Float64(),  # of a dividend: cash for one share
    }
)


@dataclass(frozen=True, slots=True)
class Instrument:
    """One thing that can be bought and sold, and the calendar by which it trades."""

    symbol: str
    asset_class: AssetClass = "equity"
    calendar: str = NEW_YORK
    tick_size: float = 0.01
    lot: float = 1.0
    multiplier: float = 1.0
    listed: date | None = None  # the first session for which there can be bars
    underlying: str | None = None
    expiry: date | None = None
    strike: float | None = None
    right: Right | None = None


def checked_symbol(symbol: str) -> str:
    """The symbol itself, or a sentence about what is wrong with it."""
    if not SYMBOL.fullmatch(symbol):
        raise UsageError(
            f"{symbol!r} is not a symbol",
            "Write 1 to 32 capitals, digits and . / _ - that begin with a capital or a digit.",
        )
    return symbol


def usual_calendar(symbol: str) -> str:
    """The calendar by which a symbol trades where nobody says otherwise: pairs like BTC/USD never close."""
    return ROUND_THE_CLOCK if "/" in symbol else NEW_YORK


def option(symbol: str) -> Instrument | None:
    """The option that an OCC symbol like SPY261218C00600000 names; None when it is no such symbol."""
    named = _OCC.fullmatch(symbol)
    if named is None:
        return None
    year, month, day = (int(named["expiry"][place : place + 2]) for place in (0, 2, 4))
    try:
        expiry = date(2000 + year, month, day)
    except ValueError:
        return None
    return Instrument(
        symbol,
        asset_class="option",
        multiplier=100.0,
        underlying=named["root"],
        expiry=expiry,
        strike=int(named["strike"]) / 1000,
        right="call" if named["right"] == "C" else "put",
    )
