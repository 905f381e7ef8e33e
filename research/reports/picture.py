"""A report as one PNG, drawn by matplotlib from the panels of the page."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from research.reports.canvas import (
    GREEN,
    INK,
    LINE,
    ORANGE,
    QUIET,
    Panel,
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
"""Inches of a row of text."""


def picture(
    title: str,
    subtitle: str,
    *,
    tiles: Rows = (),
    signs: Sequence[tuple[str, bool]] = (),
    wide: Sequence[Panel],
    narrow: Sequence[Panel] = (),
    tables: Sequence[tuple[str, Rows]],
    notes: Sequence[str] = (),
) -> bytes:
    """Title, signs (words, good or not) and tiles on top, then wide panels, pairs of narrow ones, tables and notes."""
    from matplotlib.figure import Figure

    pairs = [narrow[first : first + 2] for first in range(0, len(narrow), 2)]
    written = "\n".join(textwrap.fill(note, 150) for note in notes)
    rows = max((len(rows) for _, rows in tables), default=0) + 2
    heights = [
        1.35 if tiles else 0.7,
        *(_height(panel) for panel in wide),
        *(max(_height(panel) for panel in pair) for pair in pairs),
        rows * LINE_HEIGHT,
        (written.count("\n") + 1) * LINE_HEIGHT,
    ]
    with lettering(8.5):
        figure = Figure(figsize=(WIDTH, sum(heights)), layout="constrained", facecolor="white")
        padding: Any = figure.get_layout_engine()
        padding.set(h_pad=0.08, w_pad=0.12)
        shelves = figure.add_gridspec(len(heights), 1, height_ratios=heights)
        _head(figure.add_subplot(shelves[0]), title, subtitle, tiles, signs)
        place = 1
        for panel in wide:
            _hang(figure.add_subplot(shelves[place]), panel)
            place += 1
        for pair in pairs:
            halves = shelves[place].subgridspec(1, 2)
            for column, panel in enumerate(pair):
                _hang(figure.add_subplot(halves[column]), panel)
            place += 1
        columns = shelves[place].subgridspec(1, len(tables))
        for column, (name, cells) in enumerate(tables):
            _table(figure.add_subplot(columns[column]), name, cells, rows)
        foot = figure.add_subplot(shelves[place + 1])
        foot.set_axis_off()
        foot.text(0.0, 1.0, written, va="top", color=QUIET, linespacing=1.5)
        return png_of(figure)


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


def _head(axes: Any, title: str, subtitle: str, tiles: Rows, signs: Sequence[tuple[str, bool]]) -> None:
    axes.set_axis_off()
    axes.text(0.0, 1.0, title, fontsize=17, fontweight="bold", va="top")
    lines = [(textwrap.shorten(subtitle, 150, placeholder=" …"), QUIET)]
    lines += [
        (textwrap.shorten(says, 150, placeholder=" …"), GREEN if good else ORANGE) for says, good in signs
    ]
    for place, (words, colour) in enumerate(lines):
        axes.text(0.0, 0.72 - 0.14 * place, words, color=colour, va="center")
    for place, (name, value) in enumerate(tiles):
        axes.text(place / len(tiles), 0.2, value, fontsize=13, fontweight="bold", va="center")
        axes.text(place / len(tiles), 0.02, name, color=QUIET, va="center")


def _table(axes: Any, name: str, rows: Rows, most: int) -> None:
    axes.set_axis_off()
    axes.set_ylim(most, 0.0)
    axes.set_xlim(0.0, 1.0)
    axes.text(0.0, 0.5, name, fontweight="bold", va="center")
    for place, (left, right) in enumerate(rows, start=1):
        axes.text(0.0, place + 0.5, textwrap.shorten(left, 34, placeholder=" …"), va="center", fontsize=7.5)
        axes.text(
            1.0,
            place + 0.5,
            textwrap.shorten(right, 34, placeholder=" …"),
            va="center",
            ha="right",
            fontsize=7.5,
        )
        axes.axhline(place + 1.0, color=LINE, linewidth=0.5)
