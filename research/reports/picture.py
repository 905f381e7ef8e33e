"""A report as one PNG, drawn by matplotlib from the panels of the page."""

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from research.reports.canvas import (
    GREEN,
    INK,
    LINE,
    ORANGE,
    QUIET,
    Panel,
    cut,
    dress,
    legend_rows,
    lettering,
    png_of,
    say_instead,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Rows = Sequence[tuple[str, str]]

WIDTH: Final = 11.0
LINE_HEIGHT: Final = 0.19
TITLE_HEIGHT: Final = 0.45
TILES_HEIGHT: Final = 0.6
"""Inches: of a row of text, of the title, of the row of tiles."""

SMALL: Final = 7.5
"""Points of the text in tables."""

LETTERS_PER_INCH: Final = 72 / (0.57 * SMALL)


@dataclass(frozen=True, slots=True)
class Grid:
    """A table over the whole width: names on the left, numbers flush right; or every column from a place of its own."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    starts: Sequence[float] = ()
    """where each column begins, as a share of the width; its text is then flush left"""


def picture(
    title: str,
    subtitle: str,
    *,
    tiles: Rows = (),
    signs: Sequence[tuple[str, bool]] = (),
    wide: Sequence[Panel],
    narrow: Sequence[Panel] = (),
    tables: Sequence[tuple[str, Rows]] = (),
    grids: Sequence[Grid] = (),
    notes: Sequence[str] = (),
) -> bytes:
    """Title, signs (words, good or not), tiles; wide panels, pairs of narrow ones; tables, grids and notes."""
    from matplotlib.figure import Figure

    shelves = [_head(title, subtitle, tiles, signs)]
    shelves += [_Shelf(_height(panel), [partial(_hang, panel=panel)], inset=False) for panel in wide]
    for pair in (narrow[first : first + 2] for first in range(0, len(narrow), 2)):
        hung = [partial(_hang, panel=panel) for panel in pair]
        shelves.append(_Shelf(max(map(_height, pair)), [*hung, *[_leave_empty] * (2 - len(pair))]))
    if tables:
        most = max(len(rows) for _, rows in tables) + 2
        letters = int(WIDTH / len(tables) * LETTERS_PER_INCH)
        drawn = [partial(_table, name=name, rows=rows, most=most, letters=letters) for name, rows in tables]
        shelves.append(_Shelf(most * LINE_HEIGHT, drawn))
    shelves += [_Shelf((len(grid.rows) + 3) * LINE_HEIGHT, [partial(_grid, grid=grid)]) for grid in grids]
    shelves.append(_foot(notes))
    heights = [shelf.height for shelf in shelves]
    with lettering(8.5):
        figure = Figure(figsize=(WIDTH, sum(heights) + 0.1), layout="constrained", facecolor="white")
        padding: Any = figure.get_layout_engine()
        padding.set(h_pad=0.08, w_pad=0.12)
        places = figure.add_gridspec(len(heights), 1, height_ratios=heights)
        for number, shelf in enumerate(shelves):
            _fill(figure, places[number], shelf)
        return png_of(figure)


@dataclass(frozen=True, slots=True)
class _Shelf:
    """One row of the picture."""

    height: float
    drawn: Sequence[Callable[[Any], None]]
    """what stands on it, from left to right"""
    inset: bool = True
    """on margins of its own; else its axes begin and end where those above and below do"""


def _fill(figure: Any, place: Any, shelf: _Shelf) -> None:
    if not shelf.inset:
        shelf.drawn[0](figure.add_subplot(place))
        return
    columns = place.subgridspec(1, len(shelf.drawn))
    for number, draw in enumerate(shelf.drawn):
        draw(figure.add_subplot(columns[number]))


def _height(panel: Panel) -> float:
    return panel.height + 0.35 if panel.draw else 0.9


def _hang(axes: "Axes", panel: Panel) -> None:
    dress(axes)
    if panel.draw is None:
        say_instead(axes, panel.says)
    else:
        panel.draw(axes)
    title = f"{panel.title}  ({panel.note})" if panel.note else panel.title
    axes.set_title(title, loc="left", color=INK, fontweight="bold", pad=6 + 13 * legend_rows(axes))


def _leave_empty(axes: Any) -> None:
    axes.set_axis_off()


def _head(title: str, subtitle: str, tiles: Rows, signs: Sequence[tuple[str, bool]]) -> _Shelf:
    lines = [(subtitle, QUIET), *((says, GREEN if good else ORANGE) for says, good in signs)]
    height = TITLE_HEIGHT + LINE_HEIGHT * len(lines) + (TILES_HEIGHT if tiles else 0.1)

    def draw(axes: Any) -> None:
        _measure(axes, height)
        axes.text(0.0, 0.0, title, fontsize=17, fontweight="bold", va="top")
        for place, (words, colour) in enumerate(lines):
            short = textwrap.shorten(words, 150, placeholder=" …")
            axes.text(0.0, TITLE_HEIGHT + LINE_HEIGHT * place, short, color=colour, va="top")
        for place, (name, value) in enumerate(tiles):
            at = place / len(tiles)
            axes.text(at, height - 0.32, value, fontsize=13, fontweight="bold", va="center")
            axes.text(at, height - 0.08, name, color=QUIET, va="center")

    return _Shelf(height, [draw])


def _foot(notes: Sequence[str]) -> _Shelf:
    lines = [line for note in notes for line in textwrap.wrap(note, 165)]
    height = (len(lines) + 1) * LINE_HEIGHT

    def draw(axes: Any) -> None:
        _measure(axes, height)
        for place, words in enumerate(lines):
            axes.text(0.0, (place + 1) * LINE_HEIGHT, words, va="center", color=QUIET)

    return _Shelf(height, [draw])


def _table(axes: Any, *, name: str, rows: Rows, most: int, letters: int) -> None:
    _measure(axes, most * LINE_HEIGHT)
    axes.text(0.0, 0.5 * LINE_HEIGHT, name, fontweight="bold", va="center")
    for place, (left, right) in enumerate(rows, start=1):
        middle = (place + 0.5) * LINE_HEIGHT
        value = cut(right, letters // 2)
        axes.text(0.0, middle, cut(left, letters - len(value) - 2), va="center", fontsize=SMALL)
        axes.text(1.0, middle, value, va="center", ha="right", fontsize=SMALL)
        axes.axhline((place + 1.0) * LINE_HEIGHT, color=LINE, linewidth=0.5)


def _grid(axes: Any, *, grid: Grid) -> None:
    _measure(axes, (len(grid.rows) + 3) * LINE_HEIGHT)
    axes.text(0.0, 0.5 * LINE_HEIGHT, grid.title, fontweight="bold", va="center")
    spans = _spans(grid)
    for place, row in enumerate([grid.head, *grid.rows], start=1):
        for words, (start, end) in zip(row, spans, strict=True):
            left = bool(grid.starts) or start == 0.0
            axes.text(
                start if left else end, (place + 0.5) * LINE_HEIGHT,
                cut(words, max(4, int((end - start) * WIDTH * LETTERS_PER_INCH) - 1)), va="center",
                ha="left" if left else "right", fontsize=SMALL, color=QUIET if place == 1 else INK,
                in_layout=False,
            )  # fmt: skip
        axes.axhline((place + 1.0) * LINE_HEIGHT, color=LINE, linewidth=0.5)


def _spans(grid: Grid) -> list[tuple[float, float]]:
    """Where each column begins and ends."""
    if grid.starts:
        return list(pairwise([*grid.starts, 1.0]))
    first = min(0.22, 2.0 / (len(grid.head) + 1))
    each = (1.0 - first) / max(1, len(grid.head) - 1)
    ends = [first + each * number for number in range(len(grid.head))]
    return list(pairwise([0.0, *ends]))


def _measure(axes: Any, height: float) -> None:
    """No frame; across from 0 to 1, down in inches."""
    axes.set_axis_off()
    axes.set_xlim(0.0, 1.0)
    axes.set_ylim(height, 0.0)
