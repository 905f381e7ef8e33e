"""Measure against named peers, all in the same run: only ratios mean something on a noisy machine."""

from typing import Annotated

import typer

from orchestration.cli.render import JsonOption, console, show

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
    as_json: bool = JsonOption,
) -> None:
    """Dual moving averages with all statistics: ours, vectorbt, and a plain numpy loop."""
    from research.benchmark import compare_sweeps

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
    show(rows, title="Sweep, all statistics included", as_json=as_json, empty="")
