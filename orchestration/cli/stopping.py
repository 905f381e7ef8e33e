"""`slipway trade pause|resume|cancel|flatten|kill|limits|halts`: what a person says to an account that trades."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from orchestration.cli.render import JsonOption, log_to_stderr, show, show_one
from orchestration.cli.trade import Account, Limit

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.rows import DictRow

    from data.control import Control, Verb

app = typer.Typer()

Reason = Annotated[str, typer.Option(help="For the record, and for whoever finds it later.")]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the broker's word that it is done.")]

PATIENCE_S: Final = 60.0  # longer than the slowest demo bar; what is not done by then needs a person
ENGINE_PATIENCE_S: Final = 10.0  # without a heartbeat; the supervisor restarts a killed engine well within it
UNSAID: Final = "from the command line"


@app.command()
def pause(reason: Reason = "", account: Account = None, as_json: bool = JsonOption) -> None:
    """Send nothing that increases risk; closing goes on."""
    _told(_give(account, "pause", reason), "opens nothing; closing goes on", as_json)


@app.command()
def resume(reason: Reason = "", account: Account = None, as_json: bool = JsonOption) -> None:
    """Trade again after a pause, a flatten or a kill; it also ends one that is not through."""
    _told(_give(account, "resume", reason), "trades", as_json)


@app.command()
def cancel(
    reason: Reason = "", account: Account = None, wait: Wait = True, as_json: bool = JsonOption
) -> None:
    """Cancel every order decided so far, and go on trading."""
    said = _give(account, "cancel", reason)
    done = _wait(said, "cancelled", lambda now: now.cancelled_revision >= said.revision) if wait else said
    _told(done, "shows no order of before" if wait else "is told to cancel every order", as_json)


@app.command()
def flatten(
    reason: Reason = "", account: Account = None, wait: Wait = True, as_json: bool = JsonOption
) -> None:
    """Cancel, close everything, wait until the broker itself shows the account flat, and stay paused."""
    _told(*_until_flat(_give(account, "flatten", reason), wait), as_json)


@app.command()
def kill(reason: Reason = "", account: Account = None, wait: Wait = True, as_json: bool = JsonOption) -> None:
    """Stop, cancel, close everything, and wait until the broker itself shows the account flat."""
    _told(*_until_flat(_give(account, "kill", reason), wait), as_json)


@app.command()
def limits(
    assign: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=VALUE, or NAME=off, or NAME=default.")
    ] = None,
    strategy: Annotated[
        str, typer.Option(help="Only for this strategy; the account when none is named.")
    ] = "",
    symbol: Annotated[str, typer.Option(help="Only for this symbol.")] = "",
    history: Annotated[bool, typer.Option("--history", help="Who changed what, when and why.")] = False,
    limit: Limit = 50,
    reason: Reason = "",
    account: Account = None,
    as_json: bool = JsonOption,
) -> None:
    """The limits in force, or change them: every order decided from then on obeys, without a restart."""
    from data import audit, ledger, limit_changes
    from data.errors import UsageError
    from data.limits import off
    from data.postgres import connect

    log_to_stderr()
    with connect() as connection:
        name = ledger.known_account(connection, account, to_act=bool(assign))
    if assign and not reason:
        raise UsageError("a limit is changed with a reason", "Add --reason.")
    for what, value in (_assignment(text) for text in assign or []):
        limit_changes.set_limit(
            name,
            what,
            value,
            strategy=strategy,
            symbol=symbol,
            actor=audit.person(),
            reason=reason,
        )
    with connect() as connection:
        rows = limit_changes.history(connection, name, limit) if history else _in_force(connection, name)
    rows = [{**row, "value": None if row["value"] == off(row["name"]) else row["value"]} for row in rows]
    show(rows, title=f"Limits of {name}", as_json=as_json, empty=f"Nobody changed a limit of {name} yet.")


@app.command()
def halts(
    clear: Annotated[str | None, typer.Option(help="A symbol to trade again, once you have looked.")] = None,
    reason: Reason = "",
    account: Account = None,
    as_json: bool = JsonOption,
) -> None:
    """The symbols on which nothing is traded, for the broker has something there that is not ours."""
    from data import audit, control, ledger
    from data.errors import UsageError
    from data.postgres import connect

    with connect() as connection:
        name = ledger.known_account(connection, account, to_act=clear is not None)
    if clear is not None:
        if not reason:
            raise UsageError("a halt is cleared with a reason", "Add --reason with what you found out.")
        control.clear_halts(name, clear, actor=audit.person(), reason=reason)
    with connect() as connection:
        rows = control.halts(connection, name)
    show(rows, title=f"Halts of {name}", as_json=as_json, empty=f"No symbol of {name} is halted.")


def _give(account: str | None, verb: "Verb", reason: str) -> "Control":
    from data import audit, control, ledger
    from data.postgres import connect

    log_to_stderr()
    with connect() as connection:
        name = ledger.known_account(connection, account, to_act=True)
    return control.give(name, verb, actor=audit.person(), reason=reason or UNSAID)


def _until_flat(said: "Control", wait: bool) -> tuple["Control", str]:
    if not wait:
        return said, "opens nothing, and is told to close everything"
    flat = _wait(said, "flat", lambda now: now.verified_flat_at is not None)
    return (
        flat,
        f"is flat: the broker showed no position and no order at {flat.verified_flat_at:%H:%M:%S} UTC",
    )


def _wait(said: "Control", what: str, is_done: Callable[["Control"], bool]) -> "Control":
    """Until the broker showed it; who waits in vain is told what is in force even so, and what to do."""
    from data import ledger
    from data.control import get_control
    from data.errors import Refused, Unavailable
    from data.postgres import connect

    name = said.account
    said_at = engine_seen_at = time.monotonic()
    while time.monotonic() < said_at + PATIENCE_S:
        with connect() as connection:
            now = get_control(connection, name)
            if name in ledger.with_an_engine(connection):
                engine_seen_at = time.monotonic()
        if is_done(now):
            return now
        if now.revision != said.revision and now.mode != said.mode:
            raise Refused(
                f"{name} was not proved {what}: {now.actor} said otherwise meanwhile, and it is {now.mode}",
                f"Their reason: {now.reason or 'none'}.",
            )
        if time.monotonic() > engine_seen_at + ENGINE_PATIENCE_S:
            raise Unavailable(
                f"{name} is {now.mode}, but no engine runs that could carry it through",
                f"See `./slipway trade positions --account {name}`; an engine does it as soon as one starts: "
                f"`./slipway trade run --account {name} --first SESSION`.",
            )
        time.sleep(0.25)
    raise Unavailable(
        f"{name} is {now.mode}, but not proved {what} after {PATIENCE_S:.0f} s",
        f"The engine goes on with it. See `./slipway trade positions --account {name}`, and that its "
        "market moves: `./slipway logs engine`.",
    )


def _told(control: "Control", says: str, as_json: bool) -> None:
    from dataclasses import asdict

    if as_json:
        show_one(asdict(control), title=control.account, as_json=True)
    else:
        print(f"{control.account} is {control.mode}: {says}.")


def _assignment(text: str) -> tuple[str, float | None]:
    """A limit and what it is to be; None is what the settings say."""
    from data.errors import UsageError
    from data.limits import off

    name, _, value = (part.strip() for part in text.partition("="))
    if value in ("off", "default"):
        return name, off(name) if value == "off" else None
    try:
        return name, float(value)
    except ValueError:
        raise UsageError(
            f"--set {text} is not NAME=VALUE", "Write --set order_notional_max=50000, or =off, or =default."
        ) from None


def _in_force(connection: "Connection[DictRow]", account: str) -> list[dict[str, Any]]:
    """The defaults of the settings, and what people set instead or on top of them."""
    from data import limit_changes
    from data.limits import NAMES
    from execution.settings import ExecutionSettings

    set_rows = limit_changes.newest(connection, account)
    replaced = {row["name"] for row in set_rows if not row["strategy"] and not row["symbol"]}
    defaults = ExecutionSettings().limits
    rows = [
        {"name": name, "value": getattr(defaults, name), "strategy": "", "symbol": "", "actor": "settings",
         "set_at": None, "reason": ""}
        for name in NAMES if name not in replaced
    ]  # fmt: skip
    return sorted([*rows, *set_rows], key=lambda row: (row["strategy"], row["symbol"], row["name"]))
