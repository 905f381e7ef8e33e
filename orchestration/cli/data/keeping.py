"""`slipway data check · compact · prune`: the lake and the candles kept in order."""

from typing import Annotated

import typer

from orchestration.cli.data.options import SourceName, Timeframe
from orchestration.cli.render import JsonOption, progress, show

app = typer.Typer()


@app.command()
def check(
    deep: Annotated[bool, typer.Option("--deep", help="Compare every byte of every file, too.")] = False,
    remove_orphans: Annotated[
        bool,
        typer.Option("--remove-orphans", help="Delete what no catalog row names and is older than an hour."),
    ] = False,
    as_json: bool = JsonOption,
) -> None:
    """Compare the lake with the catalog: what is missing, damaged, unnamed, or failed its checks."""
    from data.inspection import inspect
    from data.inspection import remove_orphans as remove

    removed = remove() if remove_orphans else []
    with progress("reading the lake") as told:
        troubles = inspect(deep=deep, progress=told)
    rows = [{"kind": each.kind, "what": each.what, "found": each.found, "fix": each.fix} for each in troubles]
    rows = [
        {"kind": "removed", "what": key, "found": "no catalog row named it", "fix": ""} for key in removed
    ] + rows
    show(rows, title="The lake", as_json=as_json, empty="Nothing is missing, damaged, unnamed or flagged.")
    if any(each.is_serious for each in troubles):
        raise typer.Exit(1)


@app.command()
def compact(
    symbols: Annotated[list[str] | None, typer.Argument(help="Symbols; all when none.")] = None,
    source: SourceName = "synthetic",
    timeframe: Timeframe = "1m",
    year: Annotated[int | None, typer.Option(help="This year only.")] = None,
    as_json: bool = JsonOption,
) -> None:
    """Fold files of single sessions into one file per symbol and year; no answer changes."""
    from data.compact import compact as fold
    from data.ingest import dataset_of

    dataset = dataset_of(source, timeframe)
    with progress("compacting") as told:
        done = fold(dataset, symbols or None, year, progress=told)
    rows = [
        {
            "symbol": each.symbol,
            "year": str(each.year),
            "sessions": each.sessions,
            "files_before": each.files_before,
            "path": each.path,
        }
        for each in done
    ]
    show(rows, title=dataset, as_json=as_json, empty="Every symbol and year is one file already.")


@app.command()
def prune(
    keep_days: Annotated[
        int | None,
        typer.Option(min=1, help="Behind the newest candle; SLIPWAY_CANDLES_KEEP_DAYS when not given."),
    ] = None,
    as_json: bool = JsonOption,
) -> None:
    """Drop whole months of candles that nobody charts any more; the lake keeps their bars."""
    from data import candles
    from data.postgres import connect
    from data.settings import get_settings

    with connect() as connection:
        dropped = candles.prune(connection, keep_days or get_settings().candles_keep_days)
    show(
        [{"dropped": name} for name in dropped],
        title="Candles",
        as_json=as_json,
        empty="Nothing is old enough to go.",
    )
