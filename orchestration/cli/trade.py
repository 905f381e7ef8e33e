"""`slipway trade`: run what was promoted, look at the ledger.  What stops it is in stopping.py."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any

import typer

from orchestration.cli.render import JsonOption, log_to_stderr, show

app = typer.Typer(no_args_is_help=True)

Account = Annotated[str | None, typer.Option(help="The account; the newest when none is named.")]
Limit = Annotated[int, typer.Option(min=1, max=10_000, help="How many of the newest.")]
Day = typer.Option(formats=["%Y-%m-%d"], help="A session like 2026-10-01.")


@app.command()
def run(
    first: Annotated[datetime | None, Day] = None,
    last: Annotated[datetime | None, Day] = None,
    account: Annotated[str, typer.Option(help="Opened at the exchange simulator if it is new.")] = "paper",
    pace: Annotated[float, typer.Option(min=0.0, help="Seconds a bar takes; 0 is full speed.")] = 0.0,
    live: Annotated[str | None, typer.Option(help="A live feed instead: synthetic, alpaca or bybit.")] = None,
    speed: Annotated[
        float, typer.Option(min=0.0, help="Of the synthetic live market; 0 is full speed.")
    ] = 1.0,
    start: Annotated[
        datetime | None, typer.Option(help="When the synthetic live market begins; now.")
    ] = None,
    stay: Annotated[bool, typer.Option(help="Stay on duty after the last bar.")] = False,
    take_over: Annotated[bool, typer.Option(help="Even if another engine seems alive.")] = False,
) -> None:
    """Trade the promoted strategies over recorded sessions or a live feed."""
    from data.errors import UsageError
    from execution.__main__ import serve
    from execution.markets import Live, Replay
    from execution.service import Assignment

    if (first is None) == (live is None):
        raise UsageError(
            "there is either a recorded session to trade or a live feed",
            "Give --first DATE, or --live synthetic.",
        )
    market: Replay | Live
    if first is None:
        market = Live(str(live), speed, start and start.replace(tzinfo=UTC))
    else:
        opening, closing = first.date(), (last or first).date()
        if closing < opening:
            raise UsageError(f"the last session ({closing}) is before the first ({opening})", "Swap the two.")
        market = Replay(opening, closing, pace)
    raise typer.Exit(serve(Assignment(account, market, exit_when_done=not stay, take_over=take_over)))


@app.command()
def positions(account: Account = None, as_json: bool = JsonOption) -> None:
    """What the account holds."""
    from data import ledger

    _show(account, ledger.positions, "Positions", "is flat", as_json)


@app.command()
def orders(account: Account = None, limit: Limit = 20, as_json: bool = JsonOption) -> None:
    """The newest orders and where each of them is."""
    from data import ledger

    _show(account, partial(ledger.orders, limit=limit), "Orders", "has sent no orders", as_json)


@app.command()
def fills(account: Account = None, limit: Limit = 20, as_json: bool = JsonOption) -> None:
    """The newest executions."""
    from data import ledger

    _show(account, partial(ledger.fills, limit=limit), "Fills", "has no fills", as_json)


@app.command()
def latency(account: Account = None, as_json: bool = JsonOption) -> None:
    """How long the steps of an order took."""
    from data import ledger

    _show(account, ledger.latencies, "Latencies", "has sent no orders", as_json)


@app.command()
def reconcile(account: Account = None, as_json: bool = JsonOption) -> None:
    """Compare the ledger with the broker's books; exit 1 when they differ."""
    import asyncio

    from data import ledger
    from data.errors import SlipwayError
    from data.postgres import connect
    from execution.proof import differences

    log_to_stderr()
    with connect() as connection:
        name = ledger.known_account(connection, account)
    found = asyncio.run(differences(name))
    show(
        [{"difference": text} for text in found],
        title=f"Differences between the ledger of {name} and the broker",
        as_json=as_json,
        empty=f"The ledger of {name} and the broker's books agree.",
    )
    if found:
        raise SlipwayError(
            f"{len(found)} differences between the ledger and the broker",
            "A running engine reconciles every 30 s; if they stay, `./slipway trade kill` and look.",
        )


def _show(
    account: str | None, question: Callable[..., list[dict[str, Any]]], title: str, none: str, as_json: bool
) -> None:
    """Ask the ledger about the account that is meant, and print what it says."""
    from data import ledger
    from data.postgres import connect

    with connect() as connection:
        name = ledger.known_account(connection, account)
        rows = question(connection, name)
    show(rows, title=f"{title} of {name}", as_json=as_json, empty=f"{name} {none}.")
