"""How every picture looks and how it becomes text: colours, axes, ticks, and SVG with the same bytes for the same data.

Time axes count bars, not hours, so that nights and weekends take no room.
"""

import html
import io
import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from execution.strategy.arrays import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

INK: Final = "#1c2733"
QUIET: Final = "#66727f"
LINE: Final = "#e4e8ed"
PAPER: Final = "#fefefe"
BLUE: Final = "#2563eb"
GREEN: Final = "#0f8a5f"
RED: Final = "#c8384a"
ORANGE: Final = "#c2540a"

# Okabe and Ito's, darkened where they would vanish on white: apart for every kind of colour vision.
HUES: Final = (BLUE, ORANGE, "#0a8f6a", "#a4467f", "#8a6d00", "#3b93c4", "#5b6570", "#6d4bb5")
DASHES: Final = ("-", "--", ":", "-.")
"""The second sign, beside colour, by which lines are told apart."""

WIDE: Final = 9.0
NARROW: Final = 4.8
"""Inches: a picture this wide is legible on a phone, and two stand side by side on a desk."""

PHONE_LETTERS: Final = 11.6
"""Points in narrow pictures: 11 pixels on a phone 390 wide, the least that is read with ease."""

POINTS_PER_INCH: Final = 80
"""About the pixels a chart has: longer series keep each stretch's lowest and highest point."""

PNG_DOTS_PER_INCH: Final = 144
"""Twice a screen's usual 72: sharp where it is shown at half its size."""

NAMED_COLOURS: Final = {
    "ink": INK, "quiet": QUIET, "line": LINE, "paper": PAPER, "blue": BLUE, "green": GREEN, "red": RED,
    "orange": ORANGE,
}  # fmt: skip
"""What a dark page exchanges for lighter ones."""

LABEL_MAX: Final = 30
"""Letters of a legend's entry that a narrow picture has room for."""

_GROUP_ID: Final = re.compile(r"<g id=\"[^\"]*\"")
_PATH: Final = re.compile(r" d=\"[^\"]*\"")
_DIGITS: Final = re.compile(r"(\.\d\d)\d+")
"""A hundredth of a point is less than any screen shows, and less than half the page."""


@dataclass(frozen=True, slots=True)
class Chart:
    """One picture, as SVG and when asked as PNG; notebooks show it."""

    svg: str
    says: str
    """the picture in words"""
    draw: Callable[[], bytes] = field(repr=False, compare=False)
    """makes the PNG"""

    @property
    def png(self) -> bytes:
        """The picture in pixels, on white."""
        return self.draw()

    def _repr_svg_(self) -> str:
        return self.svg


@dataclass(frozen=True, slots=True)
class Panel:
    """A picture not drawn yet: a page makes SVG of it, a PNG gives it a place of its own."""

    title: str
    says: str
    """the picture in words, or why there is none"""
    draw: "Callable[[Axes], None] | None"
    note: str = ""
    height: float = 2.5

    def chart(self, width: float = NARROW, height: float | None = None) -> Chart:
        """The picture as SVG; in place of a missing one, the sentence that says why."""
        if self.draw is None:
            return drawn(lambda axes: say_instead(axes, self.says), width, 0.8, self.says)
        return drawn(self.draw, width, height or self.height, f"{self.title}: {self.says}")


def no_picture(title: str, why: str) -> Panel:
    """A panel with a sentence instead of a picture."""
    return Panel(title, why, None)


def drawn(draw: "Callable[[Axes], None]", width: float, height: float, says: str) -> Chart:
    """What `draw` puts on the axes, as a chart."""
    # Ids follow from the words, so that they repeat from run to run and differ between pictures of one page.
    with _laid_out(draw, width, height, says) as figure:
        svg = _svg(figure, says)

    def png() -> bytes:
        with _laid_out(draw, width, height, says) as figure:
            return png_of(figure)

    return Chart(svg, says, png)


@contextmanager
def _laid_out(draw: "Callable[[Axes], None]", width: float, height: float, salt: str) -> "Iterator[Figure]":
    from matplotlib.figure import Figure

    with lettering(PHONE_LETTERS if width <= NARROW else 9.5 if width < 6.0 else 8.0, salt=salt):
        figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
        axes = figure.add_subplot()
        dress(axes)
        draw(axes)
        yield figure


def png_of(figure: "Figure") -> bytes:
    """The figure's pixels, the same bytes for the same figure."""
    written = io.BytesIO()
    figure.savefig(written, format="png", dpi=PNG_DOTS_PER_INCH, metadata={"Software": None})
    return written.getvalue()


@contextmanager
def lettering(size: float, salt: str = "slipway") -> Iterator[None]:
    """Sizes in points, and text that stays text: small and searchable."""
    import matplotlib as mpl

    terms: Any = {
        "svg.fonttype": "none", "svg.hashsalt": salt, "font.family": "sans-serif", "font.size": size,
        "xtick.labelsize": size, "ytick.labelsize": size, "legend.fontsize": size, "axes.labelsize": size,
        "text.color": INK, "axes.labelcolor": INK, "text.parse_math": False,  # a dollar in a name is a dollar
        "axes.unicode_minus": False,  # as in the tables
    }  # fmt: skip
    with mpl.rc_context(terms):
        yield


def dress(axes: "Axes") -> None:
    """No frame, quiet ticks, level lines."""
    axes.patch.set_visible(False)
    axes.spines[:].set_visible(False)
    axes.tick_params(colors=QUIET, length=0)
    axes.tick_params(axis="x", pad=6)
    axes.grid(axis="y", color=LINE, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.margins(x=0.01)


def legend(axes: "Axes") -> None:
    """Above the axes, where it never covers what it explains; in as many columns as fit."""
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(
        handles, [cut(label) for label in labels], frameon=False, loc="lower left", bbox_to_anchor=(-0.02, 1.0),
        labelcolor=INK, ncols=_columns(axes, labels), columnspacing=1.2, handlelength=1.6, borderaxespad=0.1,
    )  # fmt: skip


def legend_rows(axes: "Axes") -> int:
    """How many lines its legend takes; none without a legend."""
    labels = [text.get_text() for text in shown.get_texts()] if (shown := axes.get_legend()) else []
    return -(-len(labels) // _columns(axes, labels)) if labels else 0


def _columns(axes: "Axes", labels: Sequence[str]) -> int:
    """As many as fit, and no more than fill their rows."""
    import matplotlib as mpl

    size = float(mpl.rcParams["legend.fontsize"])
    longest = max((len(cut(label)) for label in labels), default=1)
    most = max(1, int(inches(axes) / (size * (0.045 + 0.0085 * longest))))
    rows = -(-len(labels) // most)
    return -(-len(labels) // rows) if rows else 1


def cut(words: str, most: int = LABEL_MAX) -> str:
    """What fits of them, with a sign that there was more."""
    return words if len(words) <= most else f"{words[: most - 1]}…"


def inches(axes: "Axes") -> float:
    """About how wide these axes are."""
    figure: Any = axes.figure
    return float(axes.get_position().width * figure.get_figwidth())


def line(axes: "Axes", values: FloatArray, **style: Any) -> tuple[NDArray[np.int64], FloatArray]:
    """Draw a series, thinned to what can be seen; returns what was kept of it."""
    at = kept(values, int(inches(axes) * POINTS_PER_INCH))
    axes.plot(at, values[at], solid_joinstyle="round", **style)
    return at, values[at]


def kept(values: FloatArray, points: int) -> NDArray[np.int64]:
    """The places of each stretch's lowest and highest value, and of both ends."""
    count = len(values)
    if count <= points:
        return np.arange(count)
    edges = np.linspace(0, count, points // 2 + 1).astype(np.int64)
    places = {0, count - 1}
    for first, last in itertools.pairwise(edges.tolist()):
        stretch = values[first:last]
        if not np.isnan(stretch).all():
            places |= {first + int(np.nanargmin(stretch)), first + int(np.nanargmax(stretch))}
    return np.array(sorted(places), dtype=np.int64)


def date_ticks(axes: "Axes", ts_utc: pl.Series) -> None:
    """Days, months or clock times below, as many as fit."""
    most = max(2, int(inches(axes) / 1.15))
    days = ts_utc.dt.date()
    starts = [0, *(np.flatnonzero((days[1:] != days[:-1]).to_numpy()) + 1).tolist()] if len(days) > 1 else [0]
    if len(starts) == 1:  # one session: clock times
        places = np.unique(np.linspace(0, len(ts_utc) - 1, min(most, len(ts_utc))).astype(int)).tolist()
        axes.set_xticks(places, [f"{ts_utc[place]:%H:%M}" for place in places])
        return
    shape = "%b %Y" if len(starts) > 400 else "%-d %b %Y" if days[0].year != days[-1].year else "%-d %b"
    # Sessions differ in length: labels keep their distance in bars, not in sessions.
    wanted = np.linspace(0, len(ts_utc), most + 1)[:-1]
    chosen = [starts[place] for place in np.unique(np.searchsorted(starts, wanted)) if place < len(starts)]
    axes.set_xticks(chosen, [f"{days[place]:{shape}}" for place in chosen])


def tick(value: float) -> str:
    """A round number with as many decimals as it has."""
    whole, _, decimals = f"{value:z,.6f}".partition(".")
    return f"{whole}.{decimals}".rstrip("0").rstrip(".")


def gains_and_losses() -> "Colormap":
    """Orange below zero, blue above: the one pair of hues that no common colour blindness confuses."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("gains", ["#9a3f00", "#f0a35e", "#f6f6f4", "#7fb2e5", "#15509e"])


def say_instead(axes: "Axes", words: str) -> None:
    """A sentence where a picture would be."""
    axes.set_axis_off()
    axes.text(0.5, 0.5, words, ha="center", va="center", color=QUIET, wrap=True, transform=axes.transAxes)


def _svg(figure: "Figure", says: str) -> str:
    written = io.StringIO()
    figure.savefig(
        written, format="svg", transparent=True, metadata=dict.fromkeys(("Date", "Creator", "Format", "Type"))
    )
    text = written.getvalue()
    text = text[text.index("<svg") + 4 :]  # without the XML prologue, so that it can stand inside HTML
    # matplotlib numbers its groups anew in every picture, but a page may hold an id once.
    text = _PATH.sub(lambda path: _DIGITS.sub(r"\1", path[0]), _GROUP_ID.sub("<g", text))
    return f'<svg role="img" aria-label="{html.escape(says, quote=True)}"' + text
