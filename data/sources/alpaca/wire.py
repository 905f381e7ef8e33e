"""What Alpaca answers, as its OpenAPI files have it (market-data-api.json, trading-api.json), and as frames."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated

import msgspec
import polars as pl

from data.bar import BAR_SCHEMA

Positive = Annotated[float, msgspec.Meta(gt=0)]


class Page(msgspec.Struct):
    """One page of many; the token asks for the next."""

    next_page_token: str | None


class WireBar(msgspec.Struct):
    t: datetime
    o: float
    h: float
    l: float  # noqa: E741  the vendor's name
    c: float
    v: float
    n: float | None = None  # whole numbers, but a JSON number all the same
    vw: float | None = None


class Bars(Page):
    bars: dict[str, list[WireBar] | None] | None


class Quote(msgspec.Struct):
    t: datetime
    bp: float
    bs: float
    ap: float
    as_: float = msgspec.field(name="as")


class Trade(msgspec.Struct):
    t: datetime
    p: float


class Greeks(msgspec.Struct):
    delta: float | None = None
    gamma: float | None = None
    theta: float | None = None
    vega: float | None = None
    rho: float | None = None


class Snapshot(msgspec.Struct, rename="camel"):
    """An option's latest; Alpaca leaves out what it does not have, greeks of illiquid contracts above all."""

    latest_quote: Quote | None = None
    latest_trade: Trade | None = None
    implied_volatility: float | None = None
    greeks: Greeks | None = None


class Snapshots(Page):
    snapshots: dict[str, Snapshot] | None


class Split(msgspec.Struct):
    symbol: str
    ex_date: date
    new_rate: Positive
    old_rate: Positive


class Dividend(msgspec.Struct):
    """Cash for one share, or shares for one share."""

    symbol: str
    ex_date: date
    rate: float


class Actions(msgspec.Struct):
    forward_splits: list[Split] = []
    reverse_splits: list[Split] = []
    stock_dividends: list[Dividend] = []
    cash_dividends: list[Dividend] = []


class CorporateActions(Page):
    corporate_actions: Actions


class Asset(msgspec.Struct):
    symbol: str
    asset_class: str = msgspec.field(name="class")
    price_increment: str | float | None = None  # of crypto only, like the next one
    min_trade_increment: str | float | None = None


class Contract(msgspec.Struct):
    symbol: str
    underlying_symbol: str
    multiplier: str | float


def bars_frame(symbol: str, bars: Sequence[WireBar]) -> pl.DataFrame:
    """One symbol's bars of a page in BAR_SCHEMA."""
    return pl.DataFrame(
        {
            "symbol": [symbol] * len(bars),
            "ts_utc": [bar.t for bar in bars],
            "open": [bar.o for bar in bars],
            "high": [bar.h for bar in bars],
            "low": [bar.l for bar in bars],
            "close": [bar.c for bar in bars],
            "volume": [bar.v for bar in bars],
            # A bar of quotes, in which nobody traded, has an average price of 0: that is none.
            "vwap": [bar.vw or None for bar in bars],
            "trade_count": [None if bar.n is None else int(bar.n) for bar in bars],
        },
        schema=BAR_SCHEMA,
    )
