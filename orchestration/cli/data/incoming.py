"""`slipway data ingest · import · sync`: bars from sources and files into the lake."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from orchestration.cli.data.options import End, SourceName, Start, Timeframe, day
from orchestration.cli.render import JsonOption, log_to_stderr, progress, show, show_one

if TYPE_CHECKING:
    from data.ingest import Ingested

app = typer.Typer()

SESSIONS_BY_DEFAULT = 20
NAMED_LINES_MAX = 5


@app.command()
def ingest(
    symbols: Annotated[
        list[str] | None, typer.Argument(help="Symbols; what the source lists by default when none.")
    ] = None,
    start: Start = None,
    end: End = None,
    source: SourceName = "synthetic",
    timeframe: Timeframe = "1m",
    missing: Annotated[
        bool, typer.Option("--missing", help="Ask only for sessions of which there are no healthy bars.")
    ] = False,
    as_json: bool = JsonOption,
) -> None:
    """Bring bars from a source into the lake, the catalog and the candles."""
    from datetime import UTC, datetime

    from data.calendars import last_closed, last_sessions
    from data.ingest import ingest as ingest_bars
    from data.sources import source as source_called

    log_to_stderr()
    market = source_called(source)
    wanted = symbols or market.symbols()
    calendar = market.instrument(wanted[0]).calendar
    last = end.date() if end else last_closed(datetime.now(UTC), calendar).day
    first = start.date() if start else last_sessions(last, SESSIONS_BY_DEFAULT, calendar)[0].day
    with progress("ingesting") as told:
        done = ingest_bars(market, wanted, first, last, timeframe, only_missing=missing, progress=told)
    show_one({"range": f"{first} to {last}", **summary(done)}, title=done.dataset, as_json=as_json)
    refuse_failed(done)


@app.command("import")
def import_(
    files: Annotated[list[Path], typer.Argument(help="CSV (also .csv.gz) or parquet files.")],
    name: Annotated[str, typer.Option("--as", help="What the bars are called after: bars/NAME/TIMEFRAME.")],
    timeframe: Annotated[str, typer.Option(help="How long the bars in the files are.")] = "1m",
    start: Start = None,
    end: End = None,
    symbol: Annotated[
        str | None, typer.Option(help="The symbol, when no column and no file name tells it.")
    ] = None,
    asset_class: Annotated[
        Literal["equity", "crypto", "option"], typer.Option(help="What it is.")
    ] = "equity",
    calendar: Annotated[
        str | None,
        typer.Option(help="The sessions, like XNYS or 24/7; those of the asset class when left out."),
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(help='Which column is which, repeatable: close="Adj Close", time=Date+Time.'),
    ] = None,
    header: Annotated[
        str | None, typer.Option(help="The names of the columns of a file without a header, with commas.")
    ] = None,
    time_zone: Annotated[
        str | None, typer.Option(help="The zone of times without an offset, like America/New_York.")
    ] = None,
    epoch: Annotated[
        Literal["s", "ms", "us", "ns"] | None, typer.Option(help="The unit of times that are numbers.")
    ] = None,
    time_format: Annotated[
        str | None, typer.Option(help="How times are written, in strptime's letters: '%d.%m.%Y %H:%M'.")
    ] = None,
    decimal: Annotated[str, typer.Option(help="The decimal sign: a point or a comma.")] = ".",
    thousands: Annotated[str | None, typer.Option(help="What stands between thousands.")] = None,
    delimiter: Annotated[
        str | None,
        typer.Option(
            help="What separates columns, or the word tab; one of , ; tab and | is found by itself."
        ),
    ] = None,
    skip_bad_lines: Annotated[
        bool,
        typer.Option("--skip-bad-lines", help="Set lines aside that are no bars, instead of refusing all."),
    ] = False,
    as_json: bool = JsonOption,
) -> None:
    """Bring bars from files of your own through the same checks as a vendor's."""
    from data.ingest import ingest as ingest_bars
    from data.sources.files import Columns, open_files

    with progress("reading") as told:
        opened = open_files(
            files,
            name=name,
            timeframe=timeframe,
            symbol=symbol,
            asset_class=asset_class,
            calendar=calendar,
            columns=Columns.of(column) if column else None,
            time_zone=time_zone,
            epoch=epoch,
            time_format=time_format,
            decimal=decimal,
            thousands=thousands,
            delimiter="\t" if delimiter in ("tab", "\\t") else delimiter,
            header=header.split(",") if header else None,
            skip_bad=skip_bad_lines,
            progress=told,
        )
    with opened as market, progress("importing") as told:
        first, last = day(start) or market.first, day(end) or market.last
        done = ingest_bars(market, market.symbols(), first, last, timeframe, progress=told)
    facts = {
        "range": f"{first} to {last}",
        **summary(done),
        "bad_lines": market.bad_count,
        "first_bad_lines": "; ".join(map(str, market.bad_lines[:NAMED_LINES_MAX])),
    }
    show_one(facts, title=done.dataset, as_json=as_json)
    refuse_failed(done)


@app.command()
def sync(as_json: bool = JsonOption) -> None:
    """Bring what every configured market traded since the lake last looked, as the nightly run does."""
    from data.sync import sync as sync_markets

    log_to_stderr()
    with progress("syncing") as told:
        done = sync_markets(progress=told)
    rows: list[dict[str, Any]] = [
        {
            "source": each.source,
            "timeframe": each.timeframe,
            "symbols": len(each.symbols),
            "range": f"{each.first} to {each.last}",
            "published": each.ingested.published if each.ingested else 0,
            "rows": each.ingested.rows if each.ingested else 0,
            "failed_checks": len(each.ingested.failed) if each.ingested else 0,
            "error": str(each.error) if each.error else "",
        }
        for each in done
    ]
    show(rows, title="Sync", as_json=as_json, empty="No market is configured: set SLIPWAY_MARKETS.")
    for each in done:
        if each.error:
            raise each.error
        if each.ingested:
            refuse_failed(each.ingested)


def summary(done: "Ingested") -> dict[str, Any]:
    return {
        "published": done.published,
        "unchanged": done.unchanged,
        "rows": done.rows,
        "quarantined_rows": done.quarantined,
        "failed_checks": len(done.failed),
        "snapshot": done.snapshot,
    }


def refuse_failed(done: "Ingested") -> None:
    """Exit as refused when sessions failed their checks: the data is there, and nobody may use it."""
    from data.errors import Refused

    if done.failed:
        raise Refused(
            f"{len(done.failed)} sessions failed their checks, the first: {done.failed[0]}",
            "They are catalogued and not served; correct the source and ingest again.",
        )
