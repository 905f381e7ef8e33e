"""Splits and dividends from Alpaca."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any, Final

import polars as pl

from data.instruments import ACTION_SCHEMA
from data.sources.alpaca.client import pages
from data.sources.alpaca.wire import Actions, CorporateActions
from data.sources.http import HttpReader, Params

_PAGE: Final = 1_000  # the most that Alpaca gives at once
_TYPES: Final = "forward_split,reverse_split,stock_dividend,cash_dividend"

# Alpaca finds actions by the day on which it books them, and a dividend is booked when it is paid: weeks, with some
# companies months, after the session on which it leaves the price.  Where a dividend is so large that due bills are
# traded, it is paid before.
_BOOKED_BEFORE: Final = timedelta(days=30)
_BOOKED_AFTER: Final = timedelta(days=200)


def actions(source: HttpReader, symbols: Sequence[str], first: date, last: date) -> pl.DataFrame:
    """What takes effect from `first` to `last`, in ACTION_SCHEMA.

    A dividend in shares is a split: one share becomes 1 + rate of them.
    """
    params: Params = {
        "symbols": ",".join(symbols),
        "types": _TYPES,
        "start": (first - _BOOKED_BEFORE).isoformat(),
        "end": (last + _BOOKED_AFTER).isoformat(),
        "limit": _PAGE,
    }
    rows = [
        row
        for page in pages(source, "/v1/corporate-actions", params, CorporateActions)
        for row in _rows(page.corporate_actions)
    ]
    frame = pl.DataFrame(rows, schema=ACTION_SCHEMA, orient="row")
    return frame.filter(pl.col("session").is_between(first, last) & pl.col("symbol").is_in(list(symbols)))


def _rows(told: Actions) -> Iterator[tuple[Any, ...]]:
    for split in (*told.forward_splits, *told.reverse_splits):
        yield split.symbol, split.ex_date, "split", split.new_rate / split.old_rate, None
    for shares in told.stock_dividends:
        yield shares.symbol, shares.ex_date, "split", 1 + shares.rate, None
    for cash in told.cash_dividends:
        yield cash.symbol, cash.ex_date, "dividend", None, cash.rate
