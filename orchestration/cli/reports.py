"""`slipway report`: a page about a run on record, about several side by side, or about a strategy on past bars."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from data.errors import UsageError
from orchestration.cli.render import progress
from orchestration.cli.research import (
    Capital,
    Commission,
    Day,
    Params,
    Slippage,
    backtest_of,
    costs_of,
)

if TYPE_CHECKING:
    from research.reports import Report

app = typer.Typer()

OF_A_RUN: Final = ("what", "more", "out")
"""What may be said of runs; the rest is in their records."""


@app.command()
def report(
    context: typer.Context,
    what: Annotated[
        str,
        typer.Argument(
            metavar="RUN|STRATEGY", help="A run's id or its beginning; or a strategy's name or its file."
        ),
    ],
    more: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN|SYMBOL]...", help="Runs to compare it with; or what the strategy trades."
        ),
    ] = None,
    param: Params = None,
    start: Day = None,
    end: Day = None,
    out: Annotated[Path, typer.Option(help="Where to write it: an .html page or a .png picture.")] = Path(
        "report.html"
    ),
    capital: Capital = 100_000.0,
    slippage_bps: Slippage = 1.0,
    commission_bps: Commission = 0.0,
    source: str = "synthetic",
    timeframe: str = "1m",
) -> None:
    """Write one self-contained page about a run on record, about several side by side, or about a new backtest."""
    from orchestration.cli.strategies import library
    from research.reports import refuse_other_file, report_of_runs
    from research.reports import report as report_of

    refuse_other_file(out)
    words = [what, *(more or [])]
    if _is_strategy(what, library()):
        _refuse_no_symbols(words)

        def make(told: Callable[[int, int, str], None]) -> "Report":
            told(0, 2, "backtest")
            costs = costs_of(slippage_bps, commission_bps)
            done = backtest_of(words[0], words[1:], param, start, end, capital, costs, source, timeframe)
            told(1, 2, "drawing")
            return report_of(done)
    else:
        _refuse_terms(context)

        def make(told: Callable[[int, int, str], None]) -> "Report":
            return report_of_runs(words, told)

    with progress("reporting") as told:
        written = make(told).save(out)
    print(f"Wrote {written}")


def _is_strategy(word: str, library: list[str]) -> bool:
    """A file or a name of the library; what could be neither a name nor the id of a run is refused."""
    if word.endswith(".py") or word.lower().replace("-", "_") in library:
        return True
    if set(word.lower()) <= set("0123456789abcdef"):
        return False
    raise UsageError(
        f"{word!r} is no run and no strategy",
        f"Give a run of `./slipway runs list`, a file such as my_strategy.py, or one of: {', '.join(library)}.",
    )


def _refuse_no_symbols(words: list[str]) -> None:
    if len(words) == 1:
        raise UsageError(
            f"nothing is said about what {words[0]} trades",
            f"Name its symbols, such as `./slipway report {words[0]} AAA`.",
        )


def _refuse_terms(context: typer.Context) -> None:
    given = [
        f"--{name.replace('_', '-')}"
        for name in context.params
        if name not in OF_A_RUN and _was_given(context, name)
    ]
    if given:
        raise UsageError(
            f"a run on record has its own terms, so {', '.join(given)} would change nothing",
            "Leave it out, or name a strategy and its symbols for a new backtest.",
        )


def _was_given(context: typer.Context, name: str) -> bool:
    told = context.get_parameter_source(name)
    return told is not None and told.name == "COMMANDLINE"
