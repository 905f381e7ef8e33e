"""`slipway chaos`: what can go wrong with an order does, again and again, to real processes or in made-up worlds."""

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from data.errors import UsageError
from orchestration.cli.render import JsonOption, log_to_stderr, progress, show_one

if TYPE_CHECKING:
    from execution.simulation.world import Outcome

app = typer.Typer(no_args_is_help=True, invoke_without_command=True)


@app.callback()
def chaos(
    context: typer.Context,
    minutes: Annotated[
        float | None,
        typer.Option(min=0.1, help="How long faults strike real processes, in a world of their own."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Where in the deck of faults to begin.")] = 0,
    as_json: bool = JsonOption,
) -> None:
    """Sessions are traded while engines and servers are killed, frozen, cut off and emptied; then each is judged."""
    if context.invoked_subcommand is not None:
        return
    if minutes is None:
        raise UsageError(
            "it is not said how long faults are to strike", "Add --minutes 10, or say `simulate`."
        )
    raise typer.Exit(_for_real(60.0 * minutes, seed, as_json))


def _for_real(seconds: float, seed: int, as_json: bool) -> int:
    from orchestration.chaos.run import run

    log_to_stderr()
    with progress("Faults") as told:
        account = run(
            seconds, seed, watch=lambda done_s, what: told(min(done_s, int(seconds)), int(seconds), what)
        )
    figures = account.figures()
    if not as_json and not account.violations:
        figures |= {"violations": "none", "evidence": "nothing to keep"}
    show_one(figures, title=f"Chaos, seed {seed}", as_json=as_json)
    return 1 if account.violations else 0


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
