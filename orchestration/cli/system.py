"""`slipway up · down · status · logs · reset · doctor · lab · dagster · test`: the local system."""

import json
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from data.errors import Refused, UsageError
from orchestration.cli.render import JsonOption, console, show, show_one

if TYPE_CHECKING:  # psycopg and redis come with it: too slow for --help
    from infra.local.site import Site

MARKS = {"ok": "✓", "note": "·", "problem": "✗"}

app = typer.Typer()
Name = Annotated[str | None, typer.Argument(help="A service; all of them when none.")]


@app.command()
def up(
    only: Annotated[str, typer.Option(help="Just these and what they need, like postgres,valkey.")] = "",
    as_json: bool = JsonOption,
) -> None:
    """Start the local system: PostgreSQL, Valkey, exchange, monitor, Dagster."""
    from infra.local.launch import bring_up

    site = _site()
    control = bring_up(site, [name.strip() for name in only.split(",") if name.strip()], _reporter())
    if as_json:
        show(control.status(), title="", as_json=True, empty="")
    else:
        _print_addresses(site)


@app.command()
def down(as_json: bool = JsonOption) -> None:
    """Stop the local system. Nothing that was stored is lost."""
    from infra.local.launch import take_down

    started = time.monotonic()
    stopped = take_down(_site())
    if as_json:
        show_one({"stopped": stopped, "took_s": round(time.monotonic() - started, 2)}, title="", as_json=True)
    else:
        print("Slipway is down." if stopped else "Slipway was not running.")


@app.command()
def status(as_json: bool = JsonOption) -> None:
    """Show what runs, where, for how long, and what went wrong."""
    from infra.local.overview import overview

    site = _site()
    services = overview(site)
    if as_json:
        show(services, title="", as_json=True, empty="")
        return
    if services:
        show([_summary(each) for each in services], title="Local system", as_json=False, empty="")
    if any(each["state"] == "orphaned" for each in services):
        print("The supervisor was killed. `./slipway up` starts anew, `./slipway down` ends what is left.")
    elif any(each["kind"] != "external" for each in services):
        _print_addresses(site)
    else:
        print("The local system is not running. Start it with `./slipway up`.")


@app.command()
def logs(
    name: Name = None,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Wait for more until Ctrl-C.")] = False,
    lines: Annotated[int, typer.Option("-n", "--lines", min=0, help="How many of the last lines.")] = 30,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")] = False,
) -> None:
    """Show the services' logs."""
    from infra.local.logs import last_lines, log_files, new_lines

    def tell(service: str, line: str) -> None:
        if as_json:
            line = json.dumps({"service": service, "line": line}, ensure_ascii=False)
        elif not name:
            line = f"{service:>17} │ {line}"
        print(line, flush=follow)

    files = log_files(_site().log_dir, name)
    for file in files:
        for line in last_lines(file, lines):
            tell(file.stem, line)
    if follow:
        for service, line in new_lines(files):
            tell(service, line)


@app.command()
def reset(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False, as_json: bool = JsonOption
) -> None:
    """Stop everything and delete all local state: databases, lake, keys, logs."""
    from infra.local.launch import reset as forget

    site = _site()
    if not site.state_dir.exists():
        _tell_deleted([], as_json)
        return
    if not yes:
        if as_json or not sys.stdin.isatty():
            raise UsageError(
                f"reset deletes everything in {site.state_dir}", "Say so with `./slipway reset --yes`."
            )
        if not typer.confirm(f"Delete databases, lake, keys and logs in {site.state_dir}?"):
            raise Refused("nothing was deleted", "Run it again and answer yes.")
    _tell_deleted([str(path) for path in forget(site)], as_json)


@app.command()
def doctor(as_json: bool = JsonOption) -> None:
    """Check this machine and the local system; one fix for each finding."""
    from infra.local.doctor import Severity, examine

    findings = examine(_site())
    rows: list[dict[str, Any]] = [
        {"severity": each.severity.value, "what": each.what, "found": each.found, "fix": each.fix}
        for each in findings
    ]
    if not as_json:
        rows = [{"": MARKS[row.pop("severity")], **row} for row in rows]
    show(rows, title="Doctor", as_json=as_json, empty="")
    if any(each.severity is Severity.PROBLEM for each in findings):
        raise typer.Exit(1)


@app.command()
def lab() -> None:
    """Open JupyterLab on the notebooks folder, as part of the local system."""
    _start_and_say("lab", "lab_url")


@app.command()
def dagster() -> None:
    """Start Dagster's pages and its daemon, as part of the local system."""
    _start_and_say("dagster-daemon", "dagster_url")


@app.command("test", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def run_tests(
    context: typer.Context,
    fast: Annotated[
        bool, typer.Option("--fast", help="Leave out what needs processes or a browser.")
    ] = False,
) -> None:
    """Run ruff, mypy, the layer contracts and all tests; further arguments go to pytest."""
    from orchestration.cli.quality import check_all

    raise typer.Exit(check_all(fast=fast, pytest_arguments=context.args))


def _tell_deleted(deleted: list[str], as_json: bool) -> None:
    if as_json:
        show_one({"deleted": deleted}, title="", as_json=True)
    elif not deleted:
        print("There is no local state.")
    else:
        print("Deleted:", *deleted, sep="\n  ")
        print("Local state is gone. Start afresh with `./slipway up` or `./slipway demo`.")


def _start_and_say(service: str, address: str) -> None:
    from data.settings import services
    from infra.local.launch import bring_up

    site = _site()
    bring_up(site, [service], _reporter())
    print(services(site.state_dir)[address])


def _summary(service: dict[str, Any]) -> dict[str, str | None]:
    return {
        "service": service["name"],
        "kind": service["kind"],
        "state": service["state"],
        "for": str(timedelta(seconds=service["for_s"])),
        "where": service["where"],
        "restarts": str(service["restarts"] or ""),
        "last_trouble": service["note"],
        "pid": service["pid"] and str(service["pid"]),
    }


def _site() -> "Site":
    from infra.local.site import Site

    return Site()


def _reporter() -> Callable[[list[dict[str, Any]]], None]:
    """Tells of each service once, as it becomes ready; on a terminal also which ones are awaited."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    waiting = console.status("starting …")
    awaited: set[str] = set()

    def told(services: list[dict[str, Any]]) -> None:
        pending = [each["name"] for each in services if each["state"] != "ready"]
        for name in sorted(awaited.difference(pending)):
            console.print(f"  [green]✓[/] {name}")
            awaited.remove(name)
        awaited.update(pending)
        if pending and console.is_terminal:
            waiting.update(f"waiting for {', '.join(pending)}")
            waiting.start()
        else:
            waiting.stop()

    return told


def _print_addresses(site: "Site") -> None:
    from api.security import read_login
    from data.settings import services

    published = services(site.state_dir)
    for title, key in (("monitor", "api_url"), ("Dagster", "dagster_url"), ("notebooks", "lab_url")):
        if key in published:
            console().print(f"{title:>10}  {published[key]}", soft_wrap=True)
    if "api_url" in published and (login := read_login(site.state_dir)):
        console().print(f"{'log in as':>10}  {login[0]}   password  {login[1]}", soft_wrap=True)
