"""A sweep as a picture: a statistic over one or two of its parameters, and what a notebook shows of it."""

import html
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
import polars as pl

from data.errors import UsageError
from execution.strategy.arrays import FloatArray
from research.reports.canvas import BLUE, INK, QUIET, Chart, Panel, gains_and_losses, legend, no_picture
from research.reports.words import in_words, title_of
from research.statistics import NAMES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

AROUND_ZERO: Final = frozenset({"total_return", "cagr", "sharpe", "sortino", "calmar"})
"""Statistics whose sign is the news: zero is pale, losses are orange, gains blue."""

CELLS_MAX: Final = 40_000
"""A finer map has cells that no screen shows."""

UNKNOWN: Final = "#aab2bb"
"""What was not tried, or has no value; on neither scale of colours."""

FILLED_MIN: Final = 0.5
"""A map with more gaps than sets hides what was tried: points show it."""

WRITTEN_MAX: Final = (6, 10)
WRITTEN_LETTERS_MAX: Final = 7
"""Columns and rows of a map that has room for a number of so many letters in each cell."""

MAP_WIDTH: Final = 6.5

TOP: Final = 10


class SweepResult(Protocol):
    """What the page of a sweep needs to know of it."""

    @property
    def strategy(self) -> type[Any]: ...
    @property
    def frame(self) -> pl.DataFrame: ...
    @property
    def symbols(self) -> Sequence[str]: ...
    @property
    def skipped(self) -> int: ...
    @property
    def record(self) -> object: ...


def swept_parameters(frame: pl.DataFrame) -> list[str]:
    """The parameters of which a sweep's frame has more than one value."""
    return [name for name in frame.columns if name not in NAMES and frame[name].n_unique() > 1]


def heat_map(
    frame: pl.DataFrame,
    x: str | None = None,
    y: str | None = None,
    by: str = "sharpe",
    width: float = MAP_WIDTH,
    height: float = 4.2,
) -> Chart:
    """A statistic over two parameters of a sweep's frame, by default the first two that vary.

    Where several sets share a cell it shows the best of them, and the caption names what it is the best over.
    """
    return map_panel(frame, x, y, by).chart(width, height)


def map_panel(frame: pl.DataFrame, x: str | None = None, y: str | None = None, by: str = "sharpe") -> Panel:
    """The heat map, not drawn yet."""
    across_name, up_name = _two(frame, x, y, by)
    cells = frame.group_by(across_name, up_name).agg(pl.col(by).max())
    across, up = (_ordered(cells[name]) for name in (across_name, up_name))
    if len(across) * len(up) > CELLS_MAX:
        raise UsageError(
            f"a map of {len(across):,} × {len(up):,} cells is too fine to look at",
            f"Filter the frame to at most {CELLS_MAX:,} cells, or choose other parameters.",
        )
    places = (
        {value: place for place, value in enumerate(across)},
        {value: place for place, value in enumerate(up)},
    )
    grid = np.full((len(up), len(across)), np.nan)
    for at, height_at, found in cells.select(across_name, up_name, by).iter_rows():
        grid[places[1][height_at], places[0][at]] = np.nan if found is None else found
    rest = [name for name in swept_parameters(frame) if name not in (across_name, up_name)]
    best = _best(frame, by)
    caption = f", the best over {', '.join(rest)}" if rest else ""
    says = f"each cell is the best over {', '.join(rest)}; " if rest else ""
    says += _best_in_words(best, by, (across_name, up_name, *rest))

    def draw(axes: "Axes") -> None:
        _map(axes, grid, by, caption)
        for axis, values in ((axes.xaxis, across), (axes.yaxis, up)):
            every = -(-len(values) // 10)
            axis.set_ticks(range(0, len(values), every), [_short(each) for each in values[::every]])
        if best:
            at = places[0][best[across_name]], places[1][best[up_name]]
            _mark_best(axes, *at, in_words(by, best[by]))
        axes.set_xlabel(across_name)
        axes.set_ylabel(up_name)

    return Panel(f"{title_of(by)} over {across_name} and {up_name}", says, draw, height=4.2)


def line_panel(frame: pl.DataFrame, x: str, by: str = "sharpe") -> Panel:
    """A statistic over the one parameter that a sweep varied."""
    rows = frame.group_by(x).agg(pl.col(by).max())
    values = _ordered(rows[x])
    found: dict[Any, Any] = dict(rows.select(x, by).iter_rows())
    heights = np.array([np.nan if found[value] is None else found[value] for value in values], dtype=float)

    def draw(axes: "Axes") -> None:
        axes.plot(range(len(values)), heights, color=BLUE, linewidth=1.4, marker="o", markersize=3)
        every = -(-len(values) // 12)
        axes.set_xticks(range(0, len(values), every), [_short(each) for each in values[::every]])
        if by in AROUND_ZERO:
            axes.axhline(0.0, color=QUIET, linewidth=0.8)
        axes.set_xlabel(x)
        axes.set_ylabel(title_of(by))

    best = _best(frame, by)
    return Panel(f"{title_of(by)} over {x}", _best_in_words(best, by, [x]), draw, height=2.8)


def points_panel(frame: pl.DataFrame, x: str, y: str, by: str = "sharpe") -> Panel:
    """Every set of a search that follows no grid as a point, the best drawn last."""
    ordered = frame.sort(by, nulls_last=False, maintain_order=True)
    values = ordered[by].cast(pl.Float64).fill_null(np.nan).to_numpy()
    best = _best(frame, by)

    def draw(axes: "Axes") -> None:
        colours, low, high = _scale(values, by)
        shown = axes.scatter(
            ordered[x], ordered[y], c=values, cmap=colours, vmin=low, vmax=high, s=14, linewidths=0,
            plotnonfinite=True, rasterized=len(values) > 2_500,
        )  # fmt: skip
        if best:
            _mark_best(axes, best[x], best[y], in_words(by, best[by]))
        axes.set_xlabel(x)
        axes.set_ylabel(y)
        _scale_bar(axes, shown, title_of(by))

    says = f"each point is a set; {_best_in_words(best, by, swept_parameters(frame))}"
    return Panel(f"{title_of(by)} over {x} and {y}", says, draw, height=4.2)


def picture_of(frame: pl.DataFrame, by: str = "sharpe") -> Panel:
    """The picture that fits what was varied: a map over two parameters, points where no grid was tried, a line over
    one, a sentence over none."""
    varied = swept_parameters(frame)
    if not varied:
        return no_picture(title_of(by), "There is nothing to compare: no parameter has two values.")
    if len(varied) == 1:
        return line_panel(frame, varied[0], by)
    x, y = varied[:2]
    cells = frame[x].n_unique() * frame[y].n_unique()
    if cells <= CELLS_MAX and frame.select(x, y).n_unique() >= cells * FILLED_MIN:
        return map_panel(frame, x, y, by)
    if frame[x].dtype.is_numeric() and frame[y].dtype.is_numeric():
        return points_panel(frame, x, y, by)
    return no_picture(title_of(by), f"A map of {cells:,} cells is too fine to look at.")


def sweep_html(sweep: SweepResult, by: str = "sharpe") -> str:
    """What a notebook shows for a sweep: the best sets and the picture of all of them."""
    frame = sweep.frame
    top = frame.sort(by, descending=True, nulls_last=True).head(TOP)
    parameters = [name for name in frame.columns if name not in NAMES]
    shown = [*parameters, *(name for name in NAMES if name in frame.columns)]
    head = "".join(f"<th>{html.escape(title_of(name) if name in NAMES else name)}</th>" for name in shown)
    rows = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell(name, row[name]))}</td>" for name in shown) + "</tr>"
        for row in top.iter_rows(named=True)
    )
    skipped = f", {sweep.skipped:,} more refused by the strategy" if sweep.skipped else ""
    title = f"{sweep.strategy.__name__} on {', '.join(sweep.symbols)}: {frame.height:,} sets{skipped}"
    picture = picture_of(frame, by).chart(MAP_WIDTH).svg if swept_parameters(frame) else ""
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    return (
        f"<b>{html.escape(title)}</b><div>{html.escape(str(sweep.record))}</div>"
        f"<div style='overflow-x:auto;white-space:nowrap'>{table}</div><div style='max-width:620px'>{picture}</div>"
    )


def _two(frame: pl.DataFrame, x: str | None, y: str | None, by: str) -> tuple[str, str]:
    parameters = [name for name in frame.columns if name not in NAMES]
    for name in (each for each in (x, y) if each is not None):
        if name not in parameters:
            raise UsageError(
                f"the sweep has no parameter {name!r}", f"Its parameters are: {', '.join(parameters)}."
            )
    if by not in frame.columns or by not in NAMES:
        raise UsageError(f"the sweep has no statistic {by!r}", f"Take one of: {', '.join(NAMES)}.")
    if frame.is_empty():
        raise UsageError("the sweep has no sets to draw", "Sweep at least one parameter set.")
    varied = [name for name in swept_parameters(frame) if name not in (x, y)]
    chosen = [given if given is not None else varied.pop(0) if varied else None for given in (x, y)]
    if chosen[0] is None or chosen[1] is None or chosen[0] == chosen[1]:
        raise UsageError(
            "a heat map needs two parameters that the sweep varied",
            "Sweep two parameters, or name two with x= and y=.",
        )
    return chosen[0], chosen[1]


def _map(axes: "Axes", grid: FloatArray, by: str, caption: str) -> None:
    colours, low, high = _scale(grid, by)
    image = axes.pcolormesh(
        np.arange(grid.shape[1] + 1) - 0.5, np.arange(grid.shape[0] + 1) - 0.5, np.ma.masked_invalid(grid),
        cmap=colours, vmin=low, vmax=high, edgecolors="face", linewidth=0.3, rasterized=grid.size > 2_500,
    )  # fmt: skip
    if grid.shape[1] <= WRITTEN_MAX[0] and grid.shape[0] <= WRITTEN_MAX[1]:
        _write_values(axes, grid, by, image)
    axes.margins(0.0)
    axes.grid(visible=False)
    _scale_bar(axes, image, f"{title_of(by)}{caption}")


def _write_values(axes: "Axes", grid: FloatArray, by: str, image: Any) -> None:
    """Beside the middle of each cell, where the mark of the best stands."""
    for (row, column), value in np.ndenumerate(grid):
        words = in_words(by, float(value)).removesuffix(" %").removesuffix(" ×")
        if np.isfinite(value) and len(words) <= WRITTEN_LETTERS_MAX:
            red, green, blue, _ = image.cmap(image.norm(value))
            ink = "white" if 0.3 * red + 0.59 * green + 0.11 * blue < 0.5 else "black"
            axes.text(column, row - 0.12, words, ha="center", va="top", color=ink)


def _scale(values: FloatArray, by: str) -> "tuple[Colormap, float, float]":
    from matplotlib import colormaps

    known = values[np.isfinite(values)]
    if by in AROUND_ZERO:
        reach = float(np.abs(known).max(initial=0.0)) or 1.0
        return gains_and_losses().with_extremes(bad=UNKNOWN), -reach, reach
    low, high = float(known.min(initial=np.inf)), float(known.max(initial=-np.inf))
    if not low < high:
        low, high = (low - 0.5, low + 0.5) if np.isfinite(low) else (0.0, 1.0)
    return colormaps["viridis"].with_extremes(bad=UNKNOWN), low, high


def _scale_bar(axes: "Axes", shown: Any, label: str) -> None:
    bar: Any = axes.figure.colorbar(shown, ax=axes, pad=0.02)
    bar.set_label(label, color=INK)
    bar.outline.set_visible(False)
    bar.ax.tick_params(colors=QUIET, length=0)


def _best(frame: pl.DataFrame, by: str) -> dict[str, Any] | None:
    known = frame.filter(pl.col(by).is_not_null())
    return known.sort(by, descending=True, maintain_order=True).row(0, named=True) if known.height else None


def _best_in_words(best: Mapping[str, Any] | None, by: str, names: Sequence[str]) -> str:
    if best is None:
        return "no set has one"
    at = ", ".join(f"{name} {_short(best[name])}" for name in names)
    return f"the best is {in_words(by, best[by])} at {at}"


def _mark_best(axes: "Axes", x: float, y: float, value: str) -> None:
    axes.plot(
        x, y, marker="o", markersize=7, linestyle="", color="white", markeredgecolor="black", markeredgewidth=1.2,
        label=f"best {value}",
    )  # fmt: skip
    legend(axes)


def _ordered(values: pl.Series) -> list[Any]:
    return values.unique().sort().to_list()


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def cell(name: str, value: Any) -> str:
    """A parameter or a statistic of a set as a person reads it."""
    return in_words(name, value) if name in NAMES else _short(value)
