"""The one path of start, restart and recovery: from a ledger and a lake to books that stand where they stood.

Decisions are taken again over the bars already traded, with the fills that came of them; nothing is sent.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime

import polars as pl

from data.errors import Refused, UsageError
from data.orders import signed, unfilled
from execution.core.book import Book, PastFill
from execution.deployments import Deployment
from execution.store import Store


async def bring_up_to_date(
    deployed: Deployment, books: Sequence[Book], bars: pl.DataFrame, resume: datetime, store: Store
) -> None:
    """Prepare the books of one deployment for the bar at `resume`.

    In a replay that bar comes again: its decision may or may not have been taken, and taking it twice is the same
    as once.
    """
    began = await store.standing.first_session_of(deployed.hash)
    traded_from = _first_bar(bars, began) or resume  # the very first start has nothing behind it
    for book in books:
        await _prepare(book, bars, deployed.timeframe, traded_from, resume, store)


def refuse_what_no_book_owns(books: Sequence[Book], held: dict[str, float], account: str) -> None:
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


def first_bar(bars: pl.DataFrame, session: date) -> datetime:
    """The first bar on or behind a session's date; regular sessions lie within one UTC date."""
    first = _first_bar(bars, session)
    if first is None:
        raise UsageError(
            f"the lake holds no bars on or after {session}", "Ingest them: `./slipway data ingest`."
        )
    return first


def _first_bar(bars: pl.DataFrame, session: date) -> datetime | None:
    first = bars.filter(pl.col("ts_utc").dt.date() >= session)["ts_utc"].min()
    return first if isinstance(first, datetime) else None
