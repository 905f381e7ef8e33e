"""`slipway data list · show · candles · sql · chain`: what there is, and what is in it."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Literal

import typer

from orchestration.cli.data.options import AsOf, End, SourceName, Start, Timeframe, day
from orchestration.cli.render import JsonOption, log_to_stderr, show

app = typer.Typer()


@app.command("list")
def list_(
    symbol: Annotated[
        str | None, typer.Argument(help="Its sessions, a line each; all symbols in brief when none.")
    ] = None,
    start: Start = None,
    end: End = None,
    source: SourceName = "synthetic",
    timeframe: Timeframe = "1m",
    as_of: AsOf = None,
    as_json: bool = JsonOption,
) -> None:
    """What the lake holds: datasets and symbols, or the sessions of one symbol."""
    from data import catalog
    from data.ingest import dataset_of
    from data.postgres import connect

    rows: list[dict[str, Any]]
    with connect() as connection:
        if symbol is None:
            rows = catalog.summary(connection)
        else:
            dataset = dataset_of(source, timeframe)
            found = catalog.partitions(connection, dataset, [symbol], day(start), day(end), as_of)
            rows = [
                {
                    "session": each.session,
                    "revision": each.revision,
                    "rows": each.rows,
                    "quality": each.quality,
                    "quarantined": each.quarantined,
                    "findings": "; ".join(each.findings),
                    "path": each.path,
                }
                for each in found
            ]
    show(
        rows,
        title=f"{symbol} {timeframe} from {source}" if symbol else "The lake",
        as_json=as_json,
        empty=f"There is nothing of {symbol or 'anything'} yet. Fill the lake with `./slipway data ingest`.",
    )


@app.command("show")
def show_(
    symbol: str,
    start: Start = None,
    end: End = None,
    source: SourceName = "synthetic",
    timeframe: Timeframe = "1m",
    adjusted: Annotated[
        Literal["raw", "splits", "all"], typer.Option(help="Take splits, or dividends too, out of prices.")
    ] = "raw",
    as_of: AsOf = None,
    as_json: bool = JsonOption,
) -> None:
    """The sessions of one symbol, each with its prices, read and verified from the lake."""
    from data.query import session_bars

    frame = session_bars(
        symbol, timeframe, day(start), day(end), source=source, adjusted=adjusted, as_of=as_of
    )
    show(frame.to_dicts(), title=f"{symbol} {timeframe} from {source}", as_json=as_json, empty="No sessions.")


@app.command()
def candles(
    symbol: str,
    start: Start = None,
    end: End = None,
    source: SourceName = "synthetic",
    timeframe: Timeframe = "1m",
    limit: Annotated[int, typer.Option(min=1, help="The newest so many.")] = 30,
    as_json: bool = JsonOption,
) -> None:
    """The newest candles of a symbol, from Postgres: what charts show."""
    from data import candles as stored
    from data.postgres import connect

    with connect() as connection:
        rows = stored.query(
            connection,
            source,
            timeframe,
            symbol,
            _midnight(day(start) or date(stored.FIRST_YEAR, 1, 1)),
            _midnight((day(end) or date(stored.LAST_YEAR, 1, 1)) + timedelta(days=1)),
            limit,
        )
    show(
        rows,
        title=f"Candles of {symbol} {timeframe} from {source}",
        as_json=as_json,
        empty="There are none. `./slipway data ingest` brings bars, the newest of which become candles.",
    )


@app.command()
def sql(
    question: Annotated[str, typer.Argument(help="A select over bars and ledger.TABLE.")],
    symbols: Annotated[
        list[str] | None, typer.Option("--symbol", help="Whose bars; repeat it. All when none.")
    ] = None,
    start: Start = None,
    end: End = None,
    source: SourceName = "synthetic",
    timeframe: Timeframe = "1m",
    as_of: AsOf = None,
    as_json: bool = JsonOption,
) -> None:
    """Ask DuckDB about bars of the lake (bars) and tables of Postgres (ledger.NAME) in one select."""
    from data.ask import sql as ask

    answer = ask(question, symbols, timeframe, day(start), day(end), source=source, as_of=as_of)
    show(answer.to_dicts(), title="Answer", as_json=as_json, empty="No rows.")


@app.command()
def chain(
    underlying: Annotated[str, typer.Argument(help="Whose options, like SPY.")],
    expiry_from: Start = None,
    expiry_until: End = None,
    right: Annotated[Literal["call", "put"] | None, typer.Option(help="Both when left out.")] = None,
    as_json: bool = JsonOption,
) -> None:
    """An option chain as Alpaca quotes it now: bids, asks, implied volatility and greeks."""
    from data.sources.alpaca import Alpaca

    log_to_stderr()
    found = Alpaca.from_settings().chain(
        underlying, expiry_from=day(expiry_from), expiry_until=day(expiry_until), right=right
    )
    show(found.to_dicts(), title=f"Options on {underlying}", as_json=as_json, empty="There are none.")


def _midnight(of: date) -> datetime:
    return datetime.combine(of, time(), UTC)
