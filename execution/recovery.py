"""The one path of start, restart and recovery: from a ledger and a lake to books that stand where they stood.

Decisions are taken again over the bars already traded, with the fills that came of them; nothing is sent.
"""

from collections import defaultdict
from datetime import UTC, date, datetime

import polars as pl

from data.errors import Refused, UsageError
from data.orders import signed, unfilled
from execution.core.book import Book, PastFill
from execution.loading import Promoted, history
from execution.store import Store


async def bring_up_to_date(
    one: Promoted,
    books: list[Book],
    first: date,
    last: date,
    clock_us: int | None,
    snapshot: int,
    store: Store,
) -> pl.DataFrame:
    """Prepare the books of one strategy; returns the bars that are still to be traded, from `first` to `last`.

    The bar at which the exchange's tape stands comes again: its decision may or may not have been taken, and
    taking it twice is the same as once.
    """
    bars = history(one, last, snapshot)
    resume = _first_bar(bars, first)
    if clock_us is not None:
        resume = max(resume, datetime.fromtimestamp(clock_us / 1e6, UTC))
    traded_from = _first_bar(bars, await store.standing.first_session_of(one.artifact.hash))
    for book in books:
        await _prepare(book, bars, one.manifest.timeframe, traded_from, resume, store)
    return bars.filter(pl.col("ts_utc") >= resume)


def refuse_what_no_book_owns(books: list[Book], held: dict[str, float], account: str) -> None:
    """Shares that no promoted strategy bought would be traded around for ever."""
    owned: dict[str, float] = defaultdict(float)
    for book in books:
        for symbol, position in book.positions.items():
            owned[symbol] += position.size
    stray = {symbol: qty for symbol, qty in held.items() if qty != owned[symbol]}
    if stray:
        told = ", ".join(f"{qty:g} {symbol} (owned: {owned[symbol]:g})" for symbol, qty in stray.items())
        raise Refused(
            f"{account} holds shares that no promoted strategy owns: {told}",
            "Trade on another account; what a retired version left stays where it is.",
        )


async def _prepare(
    book: Book, bars: pl.DataFrame, timeframe: str, traded_from: datetime, until: datetime, store: Store
) -> None:
    """Bring a book to where it stands before the bar at `until`."""
    own = bars.filter(pl.col("symbol").is_in(book.symbols), pl.col("ts_utc") < until)
    book.warm(own.filter(pl.col("ts_utc") < traded_from))
    fills = [
        PastFill(
            int((row["bar_ts_utc"] or row["filled_at"]).timestamp() * 1e6),
            row["symbol"],
            signed(row["side"], float(row["qty"])),
            float(row["price"]),
            float(row["commission"]),
        )
        for row in await store.standing.fills_of(book.owner.artifact_hash, book.symbols)
    ]
    book.recover(own.filter(pl.col("ts_utc") >= traded_from), timeframe, fills)
    for row in await store.standing.unfilled():
        if row["artifact_hash"] == book.owner.artifact_hash and row["symbol"] in book.symbols:
            left = unfilled(
                row["state"], *(float(row[name]) for name in ("qty", "filled_qty", "reported_qty"))
            )
            book.sent(row["coid"], row["symbol"], signed(row["side"], left))


def _first_bar(bars: pl.DataFrame, session: date) -> datetime:
    """The first bar on or behind a session's date; regular sessions lie within one UTC date."""
    first = bars.filter(pl.col("ts_utc").dt.date() >= session)["ts_utc"].min()
    if not isinstance(first, datetime):
        raise UsageError(
            f"the lake holds no bars on or after {session}", "Ingest them: `./slipway data ingest`."
        )
    return first
