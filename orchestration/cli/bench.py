"""Measure against named peers, all in the same run: only ratios mean something on a noisy machine."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestration.cli.render import JsonOption, console, progress, show, show_one

if TYPE_CHECKING:
    from orchestration.benchmarks.contest import Timed

app = typer.Typer(no_args_is_help=True)


@app.callback()
def benchmarks() -> None:
    """Each benchmark names its peers and prints ratios."""


@app.command()
def sweep(
    bars: Annotated[int, typer.Option(min=2000, help="Minute bars.")] = 200_000,
    sets: Annotated[int, typer.Option(min=25, help="Parameter sets, a multiple of 25.")] = 1000,
    full: Annotated[bool, typer.Option("--full", help="Give the peers all sets, too (minutes).")] = False,
    rounds: Annotated[int, typer.Option(min=1, help="The median of so many is shown.")] = 3,
    scale: Annotated[
        bool, typer.Option("--scale", help="Also ten times the bars, the sets, and both: ours alone.")
    ] = False,
    as_json: bool = JsonOption,
) -> None:
    """Dual moving averages with all statistics: ours, vectorbt, and a plain numpy loop."""
    from research.benchmarks.sweep import compare_sweeps, first_sweep, time_ours

    sets = sets // 25 * 25
    peer_sets = sets if full else min(sets, 50)
    if not as_json:
        console().print(
            f"{bars:,} bars × {sets:,} sets, median of {rounds} rounds. This takes a minute or more."
        )
    timed = list(compare_sweeps(bars, sets, peer_sets, rounds))
    ours = timed[0].seconds
    rows = [
        {
            "sweep": each.name,
            "seconds": round(each.seconds, 3),
            "million_bar_sets_per_second": round(bars * sets / each.seconds / 1e6, 1),
            "slower_than_slipway": "1 ×" if each is timed[0] else f"{each.seconds / ours:,.0f} ×",
            "measured_on": f"all {sets:,} sets" if each.sets == sets else f"{each.sets} sets, scaled",
        }
        for each in timed
    ]
    larger = ((10 * bars, sets), (bars, 10 * sets), (10 * bars, 10 * sets)) if scale else ()
    for many_bars, many_sets in larger:
        alone = time_ours(many_bars, many_sets)
        rows.append(
            {
                "sweep": alone.name,
                "seconds": round(alone.seconds, 3),
                "million_bar_sets_per_second": round(many_bars * many_sets / alone.seconds / 1e6, 1),
                "slower_than_slipway": "",
                "measured_on": f"all {many_sets:,} sets",
            }
        )
    first = first_sweep(bars, sets)
    rows.append(
        {
            "sweep": "slipway, a process's first",
            "seconds": round(first.seconds, 3),
            "million_bar_sets_per_second": round(bars * sets / first.seconds / 1e6, 1),
            "slower_than_slipway": f"{first.seconds / ours:,.0f} ×",
            "measured_on": f"with imports; {first.peak_mb:,.0f} MB, {first.before_mb:,.0f} MB before the sweep",
        }
    )
    show(rows, title="Sweep, all statistics included", as_json=as_json, empty="")


@app.command()
def backtest(
    bars: Annotated[int, typer.Option(min=2000, help="Minute bars.")] = 1_000_000,
    rounds: Annotated[int, typer.Option(min=1, help="The median of so many is shown.")] = 5,
    as_json: bool = JsonOption,
) -> None:
    """One backtest with its orders and trades: ours, vectorbt's and backtesting.py's; and one live decision."""
    from orchestration.benchmarks.backtest import compare_backtests, time_decision

    if not as_json:
        console().print(f"{bars:,} bars, median of {rounds} rounds. This takes a minute.")
    timed = list(compare_backtests(bars, rounds))
    decision = time_decision()
    if as_json:
        print(json.dumps({"contests": _contests(timed), "decision": asdict(decision)}))
        return
    _show_contests(timed, as_json)
    console().print(
        f"One decision of a running engine with {decision.features} features: "
        f"median {decision.p50_us:.1f} µs, p99 {decision.p99_us:.1f} µs over {decision.bars:,} bars."
    )


@app.command()
def gates(
    seeds: Annotated[int, typer.Option(min=1, help="Markets of each kind.")] = 200,
    first_seed: Annotated[int, typer.Option(min=0, help="Of the first market.")] = 0,
    as_json: bool = JsonOption,
) -> None:
    """How often validation passes the best of 1,000 sets where nothing can be earned, and where there is an edge."""
    from research.validation.calibration import EDGE_SHARPE, SETS, YEARS, calibrate

    if not as_json:
        console().print(
            f"2 × {seeds} markets of {YEARS:g} years, {SETS:,} sets on each. 200 take some minutes."
        )
    with progress("validating") as told:
        noise, edge = calibrate(
            seeds, first_seed=first_seed, progress=lambda done, all: told(done, all, "markets")
        )
    rows = [
        {
            "market": market,
            "markets": rate.seeds,
            "passed": f"{rate.share:.1%}",
            "interval_95": f"{rate.low:.1%} to {rate.high:.1%}",
            "asked": asked,
            "stopped_most_by": ", ".join(list(rate.failed_by)[:3]),
        }
        for market, rate, asked in (
            ("noise", noise, "under 5 %"),
            (f"edge, true Sharpe ratio {EDGE_SHARPE:g}", edge, "over 80 %"),
        )
    ]
    show(rows, title="Validation's verdict", as_json=as_json, empty="")


@app.command()
def ingest(
    rows: Annotated[
        int, typer.Option(min=100_000, help="Minute bars, spread over twenty symbols.")
    ] = 5_000_000,
    rounds: Annotated[int, typer.Option(min=1, help="The median of so many is shown.")] = 3,
    memory_rows: Annotated[
        int, typer.Option(min=0, help="Ingest so many more, round the clock, and tell the memory it took.")
    ] = 0,
    as_json: bool = JsonOption,
) -> None:
    """The whole way of bars into the lake against ArcticDB, and with --memory-rows what memory it takes."""
    from orchestration.benchmarks.ingest import compare_ingest, measure_memory

    if memory_rows:
        with progress("ingesting") as told:
            memory = measure_memory(memory_rows, progress=told)
        facts = {
            "rows": memory.rows,
            "resident_before_mb": memory.resident_before_bytes // 2**20,
            "resident_peak_mb": memory.resident_peak_bytes // 2**20,
        }
        show_one(facts, title="Memory of one long ingest", as_json=as_json)
        return
    if not as_json:
        console().print(f"{rows:,} bars, median of {rounds} rounds. This takes a minute.")
    _show_contests(list(compare_ingest(rows, rounds=rounds)), as_json)


@app.command()
def candles(
    rows: Annotated[int, typer.Option(min=1_000, help="Candles.")] = 1_000_000,
    rounds: Annotated[int, typer.Option(min=1, help="The median of so many is shown.")] = 3,
    as_json: bool = JsonOption,
) -> None:
    """Candles into Postgres: loaded, corrected and told again, each against what else one would do."""
    # Not beside `bench ingest`: psycopg2 crashes in a process that has loaded ArcticDB.
    from orchestration.benchmarks.candles import compare_candles

    if not as_json:
        console().print(f"{rows:,} candles, median of {rounds} rounds. This takes some minutes.")
    _show_contests(list(compare_candles(rows, rounds)), as_json)


@app.command()
def scan(
    rounds: Annotated[int, typer.Option(min=1, help="The median of so many is shown.")] = 15,
    as_json: bool = JsonOption,
) -> None:
    """Reading the lake, every byte checked, against reading the same bare files."""
    from orchestration.benchmarks.scan import compare_scans

    _show_contests(list(compare_scans(rounds)), as_json)


@app.command()
def services(
    rounds: Annotated[int, typer.Option(min=1, help="The median of so many is shown.")] = 5,
    as_json: bool = JsonOption,
) -> None:
    """How long PostgreSQL and Valkey take until they answer, from nothing and with what was stored."""
    from orchestration.benchmarks.services import measure_services

    rows = [
        {"case": each.case, "median_s": round(each.median_s, 2), "worst_s": round(max(each.seconds), 2)}
        | {"promised_s": each.target_s}
        for each in measure_services(rounds)
    ]
    show(rows, title="Embedded services", as_json=as_json, empty="")


@app.command()
def latency(
    rounds: Annotated[int, typer.Option(min=1, help="Of 500 ticks for each contestant.")] = 40,
    pace_ms: Annotated[int, typer.Option(min=0, max=1000, help="Between a decision and the next tick.")] = 0,
    as_json: bool = JsonOption,
) -> None:
    """A tick's way to a decision in another process, through Redis: ours, redis-py's, and C's on hiredis."""
    from orchestration.benchmarks.latency import compare_latency

    if not as_json:
        console().print(f"One core for all, {rounds} rounds in turn. This takes some seconds.")
    told = compare_latency(rounds, pace_ms)
    rows = [
        {
            "way": each.name,
            "ticks": each.ticks,
            "p50_us": round(each.p50_us, 1),
            "p99_us": round(each.p99_us, 1),
            "p99_9_us": round(each.p999_us, 1),
            "our_p50_over_theirs": round(each.our_p50_over_theirs, 2),
            "our_p99_over_theirs": round(each.our_p99_over_theirs, 2),
        }
        for each in told.latencies
    ]
    if as_json:
        print(json.dumps({"ways": rows, "left_out": told.left_out}))
        return
    show(rows, title="From a tick to a decision in another process", as_json=False, empty="")
    if told.left_out:
        console().print(told.left_out)


def _show_contests(timed: "Sequence[Timed]", as_json: bool) -> None:
    show(_contests(timed), title="Speed", as_json=as_json, empty="")


def _contests(timed: "Sequence[Timed]") -> list[dict[str, Any]]:
    ours: dict[str, float] = {}
    for each in timed:
        ours.setdefault(each.contest, each.seconds)  # the first of each contest is ours
    return [
        {
            "contest": each.contest,
            "who": each.name,
            "seconds": round(each.seconds, 4),
            "million_rows_per_second": round(each.rows / each.seconds / 1e6, 2),
            "our_speed_over_theirs": round(each.seconds / ours[each.contest], 2),
        }
        for each in timed
    ]
