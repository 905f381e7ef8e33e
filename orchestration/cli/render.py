"""How commands speak: tables a person can read, JSON a program can, and progress with an ETA."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import typer

JsonOption = typer.Option(False, "--json", help="Print JSON instead of a table.")


def show(rows: Sequence[Mapping[str, Any]], *, title: str, as_json: bool, empty: str) -> None:
    """Rows as a table, or as JSON; `empty` says what to do when there are none."""
    if as_json:
        print(json.dumps(list(rows), default=_plain, indent=2))
        return
    if not rows:
        print(empty)
        return
    from rich.table import Table

    table = Table(title=title, title_justify="left", header_style="bold")
    for name, value in rows[0].items():
        table.add_column(name.replace("_", " "), justify="right" if _is_number(value) else "left")
    for row in rows:
        table.add_row(*(_cell(value) for value in row.values()))
    console().print(table)


def show_one(facts: Mapping[str, Any], *, title: str, as_json: bool) -> None:
    """One thing and its facts, a line each."""
    if as_json:
        print(json.dumps(dict(facts), default=_plain, indent=2))
        return
    from rich.table import Table

    table = Table(title=title, title_justify="left", show_header=False, box=None, pad_edge=False)
    table.add_column(style="dim")
    table.add_column()
    for name, value in facts.items():
        table.add_row(name.replace("_", " "), _cell(value))
    console().print(table)


def console() -> Any:
    from rich.console import Console

    return Console(highlight=False)


@contextmanager
def progress(title: str) -> Iterator[Callable[[int, int, str], None]]:
    """A bar with an ETA on a terminal; silence where nobody watches.  Yields `told(done, total, what)`."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(file=sys.stderr)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("[dim]{task.fields[what]}"),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=None, what="")
        yield lambda done, total, what: bar.update(task, completed=done, total=total, what=what)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _cell(value: Any) -> str:
    match value:
        case None:
            return "–"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:,.4f}"
        case int():
            return f"{value:,}"
        case Decimal():
            return f"{value.normalize():,f}"
        case datetime():
            return value.strftime("%Y-%m-%d %H:%M:%S")
        case _:
            return str(value)


def _plain(value: Any) -> Any:
    match value:
        case datetime() | date():
            return value.isoformat()
        case Decimal():
            return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
