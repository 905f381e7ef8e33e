"""`slipway data`: market data in, and what there is of it."""

from datetime import date, datetime
from typing import Annotated

import typer

from orchestration.cli.render import JsonOption, progress, show, show_one

app = typer.Typer(no_args_is_help=True)

Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="A date like 2026-09-30.")]


@app.command()
def ingest(
    symbols: Annotated[
        list[str] | None, typer.Argument(help="Symbols; all the source knows when none.")
    ] = None,
    start: Day = None,
    end: Day = None,
    source: str = "synthetic",
    timeframe: str = "1m",
    as_json: bool = JsonOption,
) -> None:
    """Bring bars from a source into the lake, the catalog and the candles."""
    from data.calendars import last_sessions
    from data.ingest import ingest as ingest_bars
    from data.sources import source as source_called

    market = source_called(source)
    last = end.date() if end else last_sessions(yesterday(), 1, market.calendar)[0].day
    first = start.date() if start else last_sessions(last, 20, market.calendar)[0].day
    with progress("ingesting") as told:
        done = ingest_bars(market, symbols or market.symbols(), first, last, timeframe, progress=told)
    show_one(
        {
            "range": f"{first} to {last}",
            "published": done.published,
            "unchanged": done.unchanged,
            "rows": done.rows,
            "failed_checks": len(done.failed),
            "snapshot": done.snapshot,
        },
        title=done.dataset,
        as_json=as_json,
    )
    if done.failed:
        from data.errors import Refused

        raise Refused(
            f"{len(done.failed)} partitions failed their checks, the first: {done.failed[0]}",
            "They are catalogued as failed and not served; correct the source and ingest again.",
        )


@app.command("list")
def list_(as_json: bool = JsonOption) -> None:
    """What the lake holds, by dataset and symbol."""
    from data import catalog
    from data.postgres import connect

    with connect() as connection:
        rows = catalog.summary(connection)
    show(
        rows,
        title="The lake",
        as_json=as_json,
        empty="The lake is empty. Fill it with `./slipway data ingest`.",
    )


@app.command("show")
def show_(
    symbol: str,
    start: Day = None,
    end: Day = None,
    source: str = "synthetic",
    timeframe: str = "1m",
    as_of: Annotated[int | None, typer.Option(help="Read the catalog as it was in this snapshot.")] = None,
    as_json: bool = JsonOption,
) -> None:
    """The sessions of one symbol, each with its prices, read and verified from the lake."""
    import duckdb

    from data.query import bars

    frame = bars(symbol, timeframe, _date(start), _date(end), source=source, as_of=as_of)
    told = duckdb.from_arrow(frame.to_arrow())
    sessions = told.aggregate(
        """
        cast(ts_utc at time zone 'America/New_York' as date) as session, count(*) as bars,
        first(open order by ts_utc) as open, max(high) as high, min(low) as low,
        last(close order by ts_utc) as close, cast(sum(volume) as bigint) as volume
        """,
        "session",
    ).order("session")
    show(
        sessions.pl().to_dicts(),
        title=f"{symbol} {timeframe} from {source}",
        as_json=as_json,
        empty="No sessions.",
    )


def yesterday() -> date:
    """The newest day that can be complete everywhere."""
    from datetime import UTC, timedelta

    return datetime.now(UTC).date() - timedelta(days=1)


def _date(moment: datetime | None) -> date | None:
    return moment.date() if moment else None
