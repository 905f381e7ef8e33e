"""How the demo ends: what was traded, whether it was right, how fast, and where to look next."""

from pathlib import Path
from typing import TYPE_CHECKING

from api.security import read_login
from data.registry import Version
from data.settings import services
from infra.local.site import Site
from orchestration.session import Outcome

if TYPE_CHECKING:
    from rich.console import RenderableType


def summary(site: Site, outcome: Outcome, version: Version, report: Path, took_s: float) -> "RenderableType":
    """One panel with everything a newcomer needs."""
    from rich.panel import Panel
    from rich.table import Table

    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    parity = f"{outcome.parity.matched} of {outcome.parity.research_orders} orders identical"
    table.add_row("version", f"{version}, artifact {version.artifact_hash[:12]}…")
    table.add_row("account", f"{outcome.account}: {outcome.orders} orders, {outcome.fills} fills")
    table.add_row("parity", _mark(outcome.parity.holds, parity))
    table.add_row(
        "books",
        _mark(not outcome.book_differences, f"{len(outcome.book_differences)} differences to the exchange"),
    )
    for step in outcome.latencies:
        table.add_row(step["step"], f"p50 {step['p50_ms']:.1f} ms · p99 {step['p99_ms']:.1f} ms")
    table.add_row("")
    known = services(site.state_dir)
    login = read_login(site.state_dir)
    table.add_row("monitor", str(known.get("api_url", "not running")))
    if login:
        table.add_row("log in as", f"{login[0]}   password  {login[1]}")
    table.add_row("Dagster", str(known.get("dagster_url", "not running")))
    table.add_row("report", report.as_uri())
    table.add_row("")
    table.add_row(
        "next", "./slipway trade orders · ./slipway trade kill · ./slipway versions · ./slipway lab"
    )
    table.add_row("stop", "./slipway down")
    good = outcome.holds
    title = f"Slipway demo: {'done' if good else 'FAILED'} in {took_s:.0f} s"
    return Panel(table, title=title, border_style="green" if good else "red", expand=False)


def _mark(good: bool, text: str) -> str:
    return f"[green]✓[/] {text}" if good else f"[red]✗ {text}[/]"
