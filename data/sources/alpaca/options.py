"""Option chains: what every contract on an underlying costs right now, with greeks."""

from datetime import date
from typing import Any, Final
from urllib.parse import quote

import polars as pl

from data.bar import INSTANT
from data.errors import Corrupt
from data.instruments import Right, checked_symbol, option
from data.sources.alpaca.client import pages
from data.sources.alpaca.wire import Greeks, Snapshot, Snapshots
from data.sources.http import HttpReader, Params

_PAGE: Final = 1_000  # the most that Alpaca gives at once

# One contract a row, by expiry, strike and right.  A null is what Alpaca does not know: greeks and volatility of
# contracts that hardly trade, a last price of those that never did.
CHAIN_SCHEMA: Final = pl.Schema(
    {
        "symbol": pl.String(),
        "underlying": pl.String(),
        "expiry": pl.Date(),
        "strike": pl.Float64(),
        "right": pl.String(),  # call | put
        "bid": pl.Float64(),
        "ask": pl.Float64(),
        "last": pl.Float64(),
        "bid_size": pl.Float64(),  # contracts
        "ask_size": pl.Float64(),
        "implied_volatility": pl.Float64(),  # a year, 0.25 is 25 %
        "delta": pl.Float64(),  # greeks are Alpaca's, by Black and Scholes
        "gamma": pl.Float64(),
        "theta": pl.Float64(),
        "vega": pl.Float64(),
        "rho": pl.Float64(),
        "ts_utc": INSTANT,  # of the quote; of the last trade where there is no quote
    }
)


def chain(
    source: HttpReader,
    underlying: str,
    *,
    expiry_from: date | None = None,
    expiry_until: date | None = None,
    right: Right | None = None,
) -> pl.DataFrame:
    """The chain of an underlying in CHAIN_SCHEMA; both dates are included."""
    asked = {
        "expiration_date_gte": expiry_from and expiry_from.isoformat(),
        "expiration_date_lte": expiry_until and expiry_until.isoformat(),
        "type": right,
    }
    params: Params = {"limit": _PAGE, **{name: value for name, value in asked.items() if value}}
    path = f"/v1beta1/options/snapshots/{quote(checked_symbol(underlying), safe='')}"
    rows = [
        _row(underlying, symbol, snapshot)
        for page in pages(source, path, params, Snapshots)
        for symbol, snapshot in (page.snapshots or {}).items()
    ]
    return pl.DataFrame(rows, schema=CHAIN_SCHEMA, orient="row").sort("expiry", "strike", "right", "symbol")


def _row(underlying: str, symbol: str, snapshot: Snapshot) -> tuple[Any, ...]:
    contract = option(symbol)
    if contract is None:
        raise Corrupt(
            f"Alpaca's chain of {underlying} has {symbol!r}, which is no option",
            "Try again later; if it stays so, the vendor changed its format and Slipway must follow.",
        )
    offer, trade, greeks = snapshot.latest_quote, snapshot.latest_trade, snapshot.greeks or Greeks()
    told = offer or trade
    return (
        symbol,
        underlying,
        contract.expiry,
        contract.strike,
        contract.right,
        offer and offer.bp,
        offer and offer.ap,
        trade and trade.p,
        offer and offer.bs,
        offer and offer.as_,
        snapshot.implied_volatility,
        greeks.delta,
        greeks.gamma,
        greeks.theta,
        greeks.vega,
        greeks.rho,
        told and told.t,
    )
