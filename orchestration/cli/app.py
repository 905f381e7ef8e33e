"""The tree of commands."""

import typer

from orchestration.cli import (
    bench,
    chaos,
    data,
    demo,
    exchange,
    records,
    registry,
    reports,
    research,
    serve,
    stopping,
    system,
    trade,
)

app = typer.Typer(
    name="slipway",
    help="From a notebook to live orders on one set of rails: same code, same numbers, provably.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # rich takes 0.2 s of CPU to load, and help should answer at once
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
for module in (demo, system, serve, research, reports, records, registry):
    app.add_typer(module.app)
app.add_typer(data.app, name="data", help="Market data: ingest it, list it, look at it.")
app.add_typer(research.strategy, name="strategy", help="Strategy files: make, list and check them.")
app.add_typer(records.runs, name="runs", help="Backtests and sweeps on record: list, show and repeat them.")
app.add_typer(records.holdout, name="holdout", help="A range that a family may look at once.")
trade.app.add_typer(stopping.app)
app.add_typer(trade.app, name="trade", help="Trade what was promoted, and stay in control of it.")
app.add_typer(
    chaos.app, name="chaos", help="Let everything go wrong, and look whether an order is lost or doubled."
)
app.add_typer(exchange.app, name="exchange", help="The exchange simulator: its accounts, its faults.")
app.add_typer(bench.app, name="bench", help="Measure against a named peer in the same run.")
