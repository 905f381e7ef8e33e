"""Sweep, backtest, validate and report a strategy; make, list and check strategy files."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from orchestration.cli.render import JsonOption, console, progress, show, show_one

if TYPE_CHECKING:
    import polars as pl

    from execution.strategy import CostModel
    from research.backtest import Backtest
    from research.oracle import Verdict
    from research.parity import Parity

app = typer.Typer()
strategy = typer.Typer(no_args_is_help=True)

StrategyName = Annotated[str, typer.Argument(help="A strategy's name or the path of its file.")]
Symbols = Annotated[list[str], typer.Argument(help="What it trades; each is a book of capital / symbols.")]
Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="A date like 2026-09-30.")]
Params = Annotated[list[str] | None, typer.Option("--param", "-p", help="name=value, once for each.")]
Capital = Annotated[float, typer.Option(min=1.0, help="Shared evenly by the symbols.")]
Slippage = Annotated[float, typer.Option(min=0.0, help="Basis points against every fill.")]
Commission = Annotated[float, typer.Option(min=0.0, help="Basis points of every order's value.")]
CommissionMin = Annotated[float, typer.Option(min=0.0, help="The least that an order costs.")]
Borrow = Annotated[
    float, typer.Option(min=0.0, help="Basis points per year for shares sold short, by night.")
]
Interest = Annotated[
    float, typer.Option(min=0.0, help="Basis points per year for cash below zero, by night.")
]
Lot = Annotated[float, typer.Option(min=0.0, help="Positions are whole multiples of this.")]
Leverage = Annotated[float, typer.Option(min=0.0, help="The largest target that is allowed.")]
FillAt = Annotated[
    Literal["next_open", "close"],
    typer.Option(help="next_open, as it trades; close, for studies: at the very close it was decided on."),
]


@app.command()
def sweep(
    strategy: StrategyName,
    symbols: Symbols,
    param: Annotated[
        list[str] | None,
        typer.Option("--param", "-p", help="name=5:60:5 or name=5,10,20; a coarse grid over all when none."),
    ] = None,
    start: Day = None,
    end: Day = None,
    random: Annotated[int | None, typer.Option(min=1, help="Try this many sets drawn at random.")] = None,
    guided: Annotated[
        int | None, typer.Option(min=1, help="Try this many, each batch chosen by what the last ones gave.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of --random and --guided.")] = 0,
    by: Annotated[str, typer.Option(help="The statistic to rank by.")] = "sharpe",
    top: Annotated[int, typer.Option(min=1, help="How many of the best to show.")] = 10,
    out: Annotated[Path | None, typer.Option(help="Write every row to this .parquet or .csv file.")] = None,
    heat_map: Annotated[
        Path | None,
        typer.Option(
            help="Draw all sets over two parameters: an .svg, a .png, or an .html page with the best."
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the same sweep where it was stopped.")
    ] = False,
    engine: Annotated[str, typer.Option(help="threads, or dask for processes of this machine.")] = "threads",
    capital: Capital = 100_000.0,
    slippage_bps: Slippage = 1.0,
    commission_bps: Commission = 0.0,
    commission_min: CommissionMin = 0.0,
    borrow_bps: Borrow = 0.0,
    interest_bps: Interest = 0.0,
    lot: Lot = 1.0,
    leverage: Leverage = 2.0,
    fill: FillAt = "next_open",
    source: str = "synthetic",
    timeframe: str = "1m",
    as_json: bool = JsonOption,
) -> None:
    """Try every parameter set of a grid, or some of them, in one pass and show the best."""
    from orchestration.cli.strategies import strategy_class
    from orchestration.cli.sweeps import (
        named_engine,
        refuse_other_files,
        save_frame,
        save_map,
        search_of,
        stoppable,
    )
    from research.sweep import sweep as sweep_sets
    from research.sweep.searches import refuse_unknown

    refuse_unknown(by)
    refuse_other_files(out, heat_map)
    chosen = strategy_class(strategy)
    search = search_of(chosen, param or [], random=random, guided=guided, seed=seed, by=by)
    bars = _bars(symbols, start, end, source, timeframe)
    with progress("sweeping") as told, stoppable():
        found = sweep_sets(
            chosen,
            bars,
            search,
            capital=capital,
            costs=costs_of(slippage_bps, commission_bps, commission_min, borrow_bps, interest_bps),
            lot=lot,
            leverage=leverage,
            fill=fill,
            by=by,
            engine=named_engine(engine),
            resume=resume,
            progress=lambda so_far: told(so_far.done, so_far.total, so_far.so_far or "sets"),
        )
    if out is not None:
        save_frame(found, out)
    if heat_map is not None:
        save_map(found, heat_map, by)
    best = found.ranked(by).head(top).to_dicts()
    title = f"The best {len(best)} of {len(found.frame)} sets by {by.replace('_', ' ')}"
    show(best, title=title, as_json=as_json, empty="")
    if not as_json:
        skipped = f"{found.skipped:,} sets refused by the strategy; " if found.skipped else ""
        print(f"{skipped}{found.record}")
    else:
        typer.echo(str(found.record), err=True)


@app.command()
def backtest(
    strategy: StrategyName,
    symbols: Symbols,
    param: Params = None,
    start: Day = None,
    end: Day = None,
    check: Annotated[
        str | None, typer.Option(help="Compare every order and statistic with vectorbt or the reference.")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write the HTML report here.")] = None,
    capital: Capital = 100_000.0,
    slippage_bps: Slippage = 1.0,
    commission_bps: Commission = 0.0,
    commission_min: CommissionMin = 0.0,
    borrow_bps: Borrow = 0.0,
    interest_bps: Interest = 0.0,
    lot: Lot = 1.0,
    leverage: Leverage = 2.0,
    fill: FillAt = "next_open",
    engine: Annotated[
        str,
        typer.Option(help="fused: one compiled pass.  execution: the engine that trades, too, bar by bar."),
    ] = "fused",
    source: str = "synthetic",
    timeframe: str = "1m",
    as_json: bool = JsonOption,
) -> None:
    """Trade one parameter set over past bars and show what came of it."""
    from data.errors import UsageError
    from research.reports import report as report_of

    if check not in (None, "vectorbt", "reference"):
        raise UsageError(f"there is no oracle {check!r}", "Use --check vectorbt or --check reference.")
    if engine not in ("fused", "execution"):
        raise UsageError(f"there is no engine {engine!r}", "Use --engine fused or --engine execution.")
    costs = costs_of(slippage_bps, commission_bps, commission_min, borrow_bps, interest_bps)
    done = backtest_of(
        strategy, symbols, param, start, end, capital, costs, source, timeframe,
        lot=lot, leverage=leverage, fill=fill,
    )  # fmt: skip
    facts: dict[str, Any] = {"orders": done.orders.height, **done.statistics, "record": str(done.record)}
    if report is not None:
        facts["report"] = str(report_of(done).save(report))
    parity = _by_the_engine(done, timeframe) if engine == "execution" else None
    if parity is not None:
        facts["engine"] = str(parity)
    verdict = None if check is None else _asked(done, check)
    if verdict is not None and as_json:
        facts |= {
            "oracle": verdict.oracle, "why_not_vectorbt": verdict.why_not_vectorbt, "agrees": verdict.agrees
        }  # fmt: skip
    show_one(facts, title=f"{done.strategy} on {', '.join(done.symbols)}", as_json=as_json)
    if verdict is not None:
        _tell_oracle(verdict, quiet=as_json)
    if parity is not None:
        _tell_parity(parity, quiet=as_json)


@app.command()
def validate(
    strategy: StrategyName,
    symbols: Symbols,
    param: Annotated[
        list[str] | None,
        typer.Option("--param", "-p", help="name=5:60:5 or name=5,10,20; a coarse grid over all when none."),
    ] = None,
    start: Day = None,
    end: Day = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the resampled histories.")] = 0,
    capital: Capital = 100_000.0,
    slippage_bps: Slippage = 1.0,
    commission_bps: Commission = 0.0,
    commission_min: CommissionMin = 0.0,
    borrow_bps: Borrow = 0.0,
    interest_bps: Interest = 0.0,
    lot: Lot = 1.0,
    leverage: Leverage = 2.0,
    fill: FillAt = "next_open",
    source: str = "synthetic",
    timeframe: str = "1m",
    as_json: bool = JsonOption,
) -> None:
    """Put the best set of a grid on trial: is it more than luck, and would it survive?  Exit code 3 if not."""
    from data.errors import Refused
    from orchestration.cli.strategies import grid_of, strategy_class
    from research.validation import validate as validate_best

    chosen = strategy_class(strategy)
    grid = grid_of(chosen, param or [])
    bars = _bars(symbols, start, end, source, timeframe)
    with progress("validating") as told:
        judged = validate_best(
            chosen,
            bars,
            grid,
            capital=capital,
            costs=costs_of(slippage_bps, commission_bps, commission_min, borrow_bps, interest_bps),
            lot=lot,
            leverage=leverage,
            fill=fill,
            seed=seed,
            progress=lambda stage, done, total: told(done, total, stage),
        )
    if as_json:
        facts = {"strategy": repr(judged.strategy), "passed": judged.passed, "verdict": judged.verdict}
        show_one(facts | {"checks": judged.rows(), "record": str(judged.record)}, title="", as_json=True)
    else:
        show(judged.rows(), title=f"{judged.strategy}", as_json=False, empty="")
        print(f"{judged.verdict}\n{judged.record}")
    if not judged.passed:
        raise Refused(
            f"{judged.strategy!r} is not shown to be more than luck",
            "Each check that is not passed says why; change the idea, not the thresholds.",
        )


@strategy.command("list")
def list_(as_json: bool = JsonOption) -> None:
    """The strategies of the library, with their parameters."""
    from orchestration.cli.strategies import library, strategy_class

    rows = []
    for name in library():
        found = strategy_class(name)
        rows.append(
            {
                "name": name,
                "says": (found.__doc__ or "").strip().splitlines()[0] if found.__doc__ else "",
                "parameters": ", ".join(
                    f"{name} {declared.default} ({declared.bounds()})"
                    for name, declared in found.declared_params().items()
                ),
                "features": ", ".join(
                    name if spec.exact else f"{name} (to explore only)"
                    for name, spec in found().feature_specs().items()
                ),
            }
        )
    show(rows, title="Strategies", as_json=as_json, empty="The library is empty.")


@strategy.command()
def new(path: Annotated[Path, typer.Argument(help="The file to make, such as my_strategy.py.")]) -> None:
    """Write a strategy file to start from."""
    from orchestration.cli.strategies import write_new

    name = write_new(path)
    print(f"Wrote {path} with the strategy {name}. Next: ./slipway strategy check {path}")


@strategy.command("check")
def check_(
    strategy: StrategyName,
    symbols: Annotated[
        list[str] | None, typer.Argument(help="Whose bars to check it on; a made-up market when none.")
    ] = None,
    param: Params = None,
    start: Day = None,
    end: Day = None,
    source: str = "synthetic",
    timeframe: str = "1m",
    as_json: bool = JsonOption,
) -> None:
    """Does it look ahead, is it the same live, how long does it warm up, what does it decide?"""
    from data.errors import Refused
    from research.detectors import check_strategy

    made = strategy_of(strategy, param or [])
    checked = check_strategy(made, _bars(symbols, start, end, source, timeframe) if symbols else None)
    show(checked.rows(), title=f"{made}: {checked.verdict}", as_json=as_json, empty="")
    if not checked.ok:
        raise Refused(f"{made!r} is not in order", "Each row marked fail says what to do.")


def strategy_of(name_or_path: str, params: list[str]) -> Any:
    """The strategy with its parameters, from what was typed."""
    from orchestration.cli.strategies import params_of, strategy_class

    chosen = strategy_class(name_or_path)
    return chosen(**params_of(chosen, params))


def backtest_of(
    name: str,
    symbols: list[str],
    param: list[str] | None,
    start: datetime | None,
    end: datetime | None,
    capital: float,
    costs: "CostModel",
    source: str,
    timeframe: str,
    **terms: Any,
) -> "Backtest":
    """A backtest on the lake's bars, from what was typed."""
    from research import backtest as run

    made = strategy_of(name, param or [])
    bars = _bars(symbols, start, end, source, timeframe)
    return run(made, bars, capital=capital, costs=costs, **terms)


def _bars(
    symbols: list[str], start: datetime | None, end: datetime | None, source: str, timeframe: str
) -> "pl.DataFrame":
    from data.errors import UsageError
    from research.records import bars  # with their origin, so that a run can be repeated from its record

    parameter = next((word for word in symbols if "=" in word), None)
    if parameter is not None:
        raise UsageError(f"{parameter!r} stands among the symbols", f"Give parameters as `-p {parameter}`.")
    return bars(
        symbols,
        timeframe,
        start.date() if start else None,
        end.date() if end else None,
        source=source,
    )


def costs_of(
    slippage_bps: float,
    commission_bps: float,
    commission_min: float = 0.0,
    borrow_bps: float = 0.0,
    interest_bps: float = 0.0,
) -> "CostModel":
    """The cost model that was typed."""
    from execution.strategy import CostModel

    return CostModel(slippage_bps, commission_bps, commission_min, borrow_bps, interest_bps)


def _asked(done: "Backtest", oracle: str) -> "Verdict":
    from research.oracle import check

    return check(done, "vectorbt" if oracle == "vectorbt" else "reference")


def _by_the_engine(done: "Backtest", timeframe: str) -> "Parity":
    from research.event_level import event_level

    with progress("The engine, bar by bar") as told:
        told(0, 1, "")
        parity = event_level(done, timeframe)
        told(1, 1, "")
    return parity


def _tell_parity(parity: "Parity", *, quiet: bool) -> None:
    """What differs; and the exit code that says that something does."""
    if not quiet:
        console().print(parity)
    if not parity.differences.is_empty():
        raise typer.Exit(1)


def _tell_oracle(verdict: "Verdict", *, quiet: bool) -> None:
    from data.errors import SlipwayError

    if not quiet:
        if verdict.why_not_vectorbt:
            console().print(
                f"vectorbt cannot express this: {verdict.why_not_vectorbt}. The reference answers."
            )
        show(
            [
                {"statistic": name, "ours": ours, verdict.oracle: theirs}
                for name, (ours, theirs) in verdict.statistics.items()
            ],
            title=f"{verdict.orders} orders and these statistics, compared with {verdict.oracle}",
            as_json=False,
            empty="",
        )
    if not verdict.agrees:
        raise SlipwayError(
            f"{len(verdict.differences)} differences from {verdict.oracle}, the first: {verdict.differences[0]}",
            "This is a defect in Slipway or in the oracle; report it with the command you ran.",
        )
    if not quiet:
        console().print(f"[green]They agree within {1e-9:g}.[/green]")
