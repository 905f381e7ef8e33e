"""Tables that stay readable in a narrow terminal: sentences wrap, values never break, what does not fit is named."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

SENTENCE: Final = 30  # characters; a text with spaces that is longer may wrap
SENTENCE_LEAST: Final = 20  # and wraps no narrower
BORDER: Final = 2  # what a column costs beside its cells
DECIMALS: Final = 6  # of exact amounts; --json has all of them


def print_table(console: "Console", title: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Rows of equal keys; the columns that do not fit are left out from the right and named below."""
    from rich.markup import escape

    names = list(rows[0])
    texts = [[cell(row[name]) for row in rows] for name in names]
    widths = [_width(name, column) for name, column in zip(names, texts, strict=True)]
    least = [_least(width, column) for width, column in zip(widths, texts, strict=True)]
    shown = _fitting(least, console.width)
    console.print(f"[italic]{escape(title)}[/]", soft_wrap=True)
    console.print(_table(rows, names, texts, _shrink(widths[:shown], least, console.width)))
    if left_out := [name.replace("_", " ") for name in names[shown:]]:
        console.print(f"[dim]No room for {', '.join(left_out)}: widen the terminal, or use --json.[/]")


def print_facts(console: "Console", title: str, facts: Mapping[str, Any]) -> None:
    """One thing, a line for each fact."""
    from rich.markup import escape
    from rich.table import Table

    console.print(f"[italic]{escape(title)}[/]", soft_wrap=True)
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts.items():
        table.add_row(name.replace("_", " "), escape(cell(value)))
    console.print(table)


def cell(value: Any) -> str:
    """A value as a person reads it."""
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
            return f"{round(value, DECIMALS).normalize():,f}"
        case datetime():
            return value.strftime("%Y-%m-%d %H:%M:%S")
        case _:
            return str(value)


def _table(
    rows: Sequence[Mapping[str, Any]], names: list[str], texts: list[list[str]], widths: list[int]
) -> "RenderableType":
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    table = Table(header_style="bold", box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for name, width in zip(names, widths, strict=False):
        is_number = any(_is_number(row[name]) for row in rows)
        table.add_column(
            name.replace("_", " "), width=width, overflow="fold", justify="right" if is_number else "left"
        )
    for line in zip(*texts[: len(widths)], strict=True):
        table.add_row(*map(escape, line))
    return table


def _width(name: str, column: list[str]) -> int:
    """What a column takes when nothing but its heading wraps."""
    return max(*(len(word) for word in name.split("_")), *(len(text) for text in column))


def _least(width: int, column: list[str]) -> int:
    longest = max(column, key=len)
    return SENTENCE_LEAST if len(longest) > SENTENCE and " " in longest else width


def _fitting(least: list[int], room: int) -> int:
    """How many columns from the left fit; one is shown whatever it takes."""
    taken = 0
    for place, width in enumerate(least):
        taken += width + BORDER
        if taken > room:
            return max(1, place)
    return len(least)


def _shrink(widths: list[int], least: list[int], room: int) -> list[int]:
    """Take from the widest sentence until all fit."""
    widths = list(widths)
    while sum(widths) + BORDER * len(widths) > room:
        slack = [width - low for width, low in zip(widths, least, strict=False)]
        widest = max(range(len(widths)), key=lambda place: (slack[place] > 0, widths[place]))
        if slack[widest] <= 0:
            break
        widths[widest] -= 1
    return widths


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)
