"""The event-level backtest: the engine's books against the exchange's matching, in one process, bar by bar.

No network, no clock, no database: the same code that trades, fed by hand.  What it orders is what the
parity gate compares with research.
"""

from datetime import date
from itertools import groupby

import polars as pl

from data.bar import bars_of
from data.orders import ORDER_SCHEMA, signed
from execution.core.book import Book
from execution.core.intents import Intent
from execution.exchange.matching import Account
from execution.exchange.orders import Fill, OrderRequest, Reject, Side, Terms
from execution.loading import Promoted, books_of


def rehearse(promoted: Promoted, bars: pl.DataFrame, trade_from: date) -> pl.DataFrame:
    """The orders, with their fills, that the engine sends over these bars."""
    costs = promoted.costs
    account = Account(
        Terms(
            name="rehearsal",
            cash=promoted.manifest.capital,
            slippage_bps=costs.slippage_bps,
            commission_bps=costs.commission_bps,
            commission_min=costs.commission_min,
        )
    )
    books = {book.symbol: book for book in books_of(promoted, "rehearsal")}
    trading = pl.col("ts_utc").dt.date() >= trade_from
    for symbol, book in books.items():
        book.warm(bars.filter(pl.col("symbol") == symbol, ~trading))
    intents: list[Intent] = []
    fills: dict[str, Fill] = {}
    tape = bars_of(bars.filter(trading).sort("ts_utc", "symbol"), promoted.manifest.timeframe)
    for ts_us, instant in groupby(tape, lambda bar: bar.ts_us):
        shown = list(instant)
        for event in account.on_bar(shown, ts_us):
            if event.fill is not None:
                _deliver(event.fill, books[event.fill.symbol])
                fills[event.fill.client_order_id] = event.fill
        account.take_changes()
        for bar in shown:
            intent = books[bar.symbol].on_bar(bar, ts_us)
            if intent is not None and _accepted(account, intent, books[bar.symbol]):
                intents.append(intent)
    return _frame(intents, fills)


def _deliver(fill: Fill, book: Book) -> None:
    book.on_fill(signed(fill.side.value, fill.qty), fill.price, fill.commission, fill.client_order_id)


def _accepted(account: Account, intent: Intent, book: Book) -> bool:
    request = OrderRequest(
        client_order_id=intent.coid, symbol=intent.symbol, side=Side(intent.side), qty=intent.qty
    )
    if isinstance(account.submit(request, intent.bar_ts_us), Reject):
        book.on_order_ended(intent.coid)
        return False
    return True


def _frame(intents: list[Intent], fills: dict[str, Fill]) -> pl.DataFrame:
    rows = []
    for intent in intents:
        fill = fills.get(intent.coid)
        rows.append(
            (
                intent.symbol,
                intent.bar_ts_us,
                intent.side,
                intent.qty,
                intent.target,
                fill.bar_us if fill else None,
                fill.price if fill else None,
                fill.commission if fill else None,
            )
        )
    stamps = {"bar_ts_utc": pl.Int64(), "fill_ts_utc": pl.Int64()}
    raw = pl.DataFrame(rows, schema={**ORDER_SCHEMA, **stamps}, orient="row")
    return raw.cast(ORDER_SCHEMA).sort("symbol", "bar_ts_utc")
