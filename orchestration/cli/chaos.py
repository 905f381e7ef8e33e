"""`slipway chaos`: what can go wrong with an order does, again and again."""

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestration.cli.render import JsonOption, progress, show_one

if TYPE_CHECKING:
    from execution.simulation.world import Outcome

app = typer.Typer(no_args_is_help=True)


@app.callback()
def chaos() -> None:
    """A group, although it has one command so far."""


@app.command()
def simulate(
    seeds: Annotated[int, typer.Option(min=1, help="How many worlds.")] = 2_000,
    first: Annotated[int, typer.Option(min=0, help="The first seed.")] = 0,
    seed: Annotated[int | None, typer.Option(min=0, help="Only this one, with all that happens.")] = None,
    processes: Annotated[int | None, typer.Option(min=1, help="All cores when none is named.")] = None,
    as_json: bool = JsonOption,
) -> None:
    """Order flow under virtual time, in worlds made from seeds: every invariant is checked at every step."""
    if seed is not None:
        raise typer.Exit(_one(seed))
    from execution.simulation.many import run_seeds

    began = time.monotonic()
    done: list[Outcome] = []
    violated: dict[int, str] = {}
    with progress("Worlds") as told:
        for part in run_seeds(first, seeds, processes):
            done += part
            violated |= {lived.seed: lived.violation for lived in part if lived.violation is not None}
            told(len(done), seeds, f"{len(violated)} violated")
    facts: dict[str, Any] = {
        "worlds": len(done),
        "orders": sum(lived.orders for lived in done),
        "fills": sum(lived.fills for lived in done),
        "starts": sum(lived.starts for lived in done),
        "worlds_an_hour": round(3600 * len(done) / (time.monotonic() - began)),
        "violated": {
            f"./slipway chaos simulate --seed {number}": violation for number, violation in violated.items()
        },
    }
    if not as_json and not violated:
        facts["violated"] = "none"
    show_one(facts, title="Simulation", as_json=as_json)
    raise typer.Exit(1 if violated else 0)


def _one(seed: int) -> int:
    from execution.simulation.world import run_seed, silence

    with silence():
        lived = run_seed(seed, keep_trace=True)
    print("".join(lived.trace), end="")
    print(lived.violation or "Every invariant held.")
    return 1 if lived.violation else 0
