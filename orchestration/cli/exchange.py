"""`slipway exchange`: look at the exchange simulator and its accounts, make things go wrong there."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestration.cli.render import JsonOption, show, show_one

if TYPE_CHECKING:
    from execution.exchange.books import Keys
    from execution.exchange.control import BlockingExchangeControl
    from execution.exchange.faults import FaultKind

app = typer.Typer(no_args_is_help=True)
faults = typer.Typer(no_args_is_help=True)
app.add_typer(faults, name="faults", help="Make things go wrong for an account, until the exchange restarts.")

Account = Annotated[str | None, typer.Option(help="The account; the newest when none is named.")]
Kind = Annotated[str, typer.Argument(help="Like lose_reply; all of them are on the execution page.")]


@app.command()
def status(as_json: bool = JsonOption) -> None:
    """Where the exchange is, and how much happens there."""
    from data.settings import get_settings

    with _control() as control:
        state, rows = control.health()["status"], control.accounts()
    facts = {"url": get_settings().exchange(), "status": state, "accounts": len(rows)}
    counted = {
        name: sum(row[name] for row in rows)
        for name in ("open_orders", "orders", "fills", "listeners", "faults")
    }
    show_one(facts | counted, title="Exchange simulator", as_json=as_json)


@app.command()
def accounts(as_json: bool = JsonOption) -> None:
    """Every account with what it owns and how far its market has come."""
    with _control() as control:
        rows = control.accounts()
    for row in rows:
        clock_us = row.pop("clock_us")
        row["market_at"] = None if clock_us is None else datetime.fromtimestamp(clock_us / 1e6, UTC)
    show(
        rows,
        title="Accounts of the exchange simulator",
        as_json=as_json,
        empty="Nobody has an account. `./slipway trade run` opens one.",
    )


@faults.command("list")
def list_faults(account: Account = None, as_json: bool = JsonOption) -> None:
    """The faults that may still strike, how often they did and will."""
    name, control = _account(account)
    with control:
        _show(name, control.faults(), as_json)


@faults.command("set")
def set_fault(
    kind: Kind,
    account: Account = None,
    count: Annotated[
        int | None,
        typer.Option(min=0, help="How often it strikes; once when neither this nor odds are given."),
    ] = None,
    probability: Annotated[float | None, typer.Option(help="Of striking each time, like 0.05.")] = None,
    seed: Annotated[int, typer.Option(help="Of the dice: the same requests meet the same faults.")] = 0,
    delay_ms: Annotated[int, typer.Option(min=0, help="How late, or for how long.")] = 0,
    route: Annotated[
        str | None, typer.Option(help="Like 'GET /v2/orders*'; usually 'POST /v2/orders'.")
    ] = None,
    symbol: Annotated[str | None, typer.Option(help="Only orders of this symbol.")] = None,
    coid: Annotated[str | None, typer.Option(help="Only the order with this client_order_id.")] = None,
    as_json: bool = JsonOption,
) -> None:
    """Arm a fault, in place of one with the same kind, route, symbol and coid."""
    rule = {"probability": probability, "seed": seed, "route": route, "symbol": symbol, "coid": coid}
    known = _kind(kind)
    name, control = _account(account)
    with control:
        control.arm_fault(known, count, delay_ms, **rule)
        _show(name, control.faults(), as_json)


@faults.command()
def clear(
    kind: Annotated[str | None, typer.Argument(help="All kinds when none is named.")] = None,
    account: Account = None,
    as_json: bool = JsonOption,
) -> None:
    """Disarm faults; orders that were hidden and events that were held back appear."""
    known = None if kind is None else _kind(kind)
    name, control = _account(account)
    with control:
        control.clear_faults(known)
        _show(name, control.faults(), as_json)


def _show(account: str, knobs: list[dict[str, Any]], as_json: bool) -> None:
    title, empty = f"Faults of {account}", f"No faults are armed on {account}."
    show(knobs, title=title, as_json=as_json, empty=empty)


def _kind(name: str) -> "FaultKind":
    from data.errors import UsageError
    from execution.exchange.faults import FaultKind

    try:
        return FaultKind(name)
    except ValueError:
        raise UsageError(f"there is no fault {name!r}", f"Use one of: {', '.join(FaultKind)}.") from None


def _account(name: str | None) -> "tuple[str, BlockingExchangeControl]":
    """The account that is meant, and who may act for it."""
    from data.errors import UsageError

    with _control() as control:
        known = [row["account"] for row in control.accounts()]
        if not known:
            raise UsageError("the exchange has no accounts", "Open one with `./slipway trade run`.")
        chosen = known[-1] if name is None else name
        if chosen not in known:
            raise UsageError(
                f"the exchange has no account {chosen!r}", "`./slipway exchange accounts` lists those it has."
            )
        keys = control.open_account(chosen)
    return chosen, _control(keys)


def _control(keys: "Keys | None" = None) -> "BlockingExchangeControl":
    from data.settings import get_settings
    from execution.exchange.control import BlockingExchangeControl

    return BlockingExchangeControl(get_settings().exchange(), keys)
