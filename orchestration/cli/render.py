"""How commands speak: tables a person can read, JSON a program can, and progress with an ETA."""

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import typer

if TYPE_CHECKING:
    from rich.console import Console

JsonOption = typer.Option(False, "--json", help="Print JSON instead of a table.")
PIPE_WIDTH: Final = 1_000


def show(rows: Sequence[Mapping[str, Any]], *, title: str, as_json: bool, empty: str) -> None:
    """Rows as a table, or as JSON; `empty` says what to do when there are none."""
    if as_json:
        print(json.dumps(list(rows), default=_plain, indent=2))
        return
    if not rows:
        print(empty)
        return
    from orchestration.cli.tables import print_table

    print_table(console(), title, rows)


def show_one(facts: Mapping[str, Any], *, title: str, as_json: bool) -> None:
    """One thing and its facts, a line each."""
    if as_json:
        print(json.dumps(dict(facts), default=_plain, indent=2))
        return
    from orchestration.cli.tables import print_facts

    print_facts(console(), title, facts)


def console() -> "Console":
    """Where people read.  What is piped has no width, so that no line of it breaks."""
    from rich.console import Console

    chosen = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(highlight=False, width=None if chosen else PIPE_WIDTH)


def log_to_stderr() -> None:
    """What the rooms log is for people: it must not stand in the JSON of a command."""
    import structlog

    structlog.configure(logger_factory=lambda *_names: structlog.PrintLogger(sys.stderr))


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


def _plain(value: Any) -> Any:
    match value:
        case datetime() | date():
            return value.isoformat()
        case Decimal():
            return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
