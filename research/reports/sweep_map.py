"""A sweep as a picture: a statistic over one or two of its parameters, and what a notebook shows of it."""

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
import polars as pl

from data.errors import UsageError
from execution.strategy.arrays import FloatArray
from research.reports.canvas import BLUE, INK, QUIET, Chart, drawn, gains_and_losses, legend
from research.reports.words import in_words, title_of
from research.statistics import NAMES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

AROUND_ZERO: Final = frozenset({"total_return", "cagr", "sharpe", "sortino", "calmar"})
"""Statistics whose sign is the news: zero is pale, losses are orange, gains blue."""

CELLS_MAX: Final = 40_000
"""A finer map has cells that no screen shows."""

UNKNOWN: Final = "#aab2bb"
"""What was not tried, or has no value; on neither scale of colours."""

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
    width: float = 6.5,
    height: float = 4.2,
) -> Chart:
    """A statistic over two parameters of a sweep's frame, by default the first two that vary.

    Where several sets share a cell it shows the best of them, and the caption names what it is the best over.
    """
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
    caption = f"each cell the best over {', '.join(rest)}" if rest else ""
    says = f"Heat map of {title_of(by)} over {across_name} and {up_name}"
    says += f", {caption}" if caption else ""
    says += (
        f"; the best is {in_words(by, best[by])} at "
        + ", ".join(f"{name} {best[name]}" for name in (across_name, up_name, *rest))
        if best
        else "; no set has one"
    )

    def draw(axes: "Axes") -> None:
        _map(axes, grid, by)
        for axis, values in ((axes.xaxis, across), (axes.yaxis, up)):
            every = -(-len(values) // 10)
            axis.set_ticks(range(0, len(values), every), [_short(each) for each in values[::every]])
        if best:
            axes.plot(
                places[0][best[across_name]], places[1][best[up_name]], marker="o", markersize=7, linestyle="",
                color="white", markeredgecolor=INK, markeredgewidth=1.2, label=f"best {in_words(by, best[by])}",
            )  # fmt: skip
            legend(axes)
        axes.set_xlabel(across_name)
        axes.set_ylabel(up_name)
        if caption:
            axes.set_title(caption, loc="right", color=QUIET, fontsize=8)

    return drawn(draw, width, height, says)


def line_over(
    frame: pl.DataFrame, x: str, by: str = "sharpe", width: float = 6.5, height: float = 2.8
) -> Chart:
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
    says = f"{title_of(by)} over {x}"
    return drawn(
        draw, width, height, f"{says}; the best is {in_words(by, best[by])} at {best[x]}" if best else says
    )


def sweep_html(sweep: SweepResult, by: str = "sharpe") -> str:
    """What a notebook shows for a sweep: the best sets and the picture of all of them."""
    frame = sweep.frame
    varied = swept_parameters(frame)
    top = frame.sort(by, descending=True, nulls_last=True).head(TOP)
    parameters = [name for name in frame.columns if name not in NAMES]
    shown = [*parameters, *(name for name in NAMES if name in frame.columns)]
    head = "".join(f"<th>{html.escape(title_of(name) if name in NAMES else name)}</th>" for name in shown)
    rows = "".join(
        "<tr>" + "".join(f"<td>{html.escape(_cell(name, row[name]))}</td>" for name in shown) + "</tr>"
        for row in top.iter_rows(named=True)
    )
    skipped = f", {sweep.skipped:,} more refused by the strategy" if sweep.skipped else ""
    title = f"{sweep.strategy.__name__} on {', '.join(sweep.symbols)}: {frame.height:,} sets{skipped}"
    picture = ""
    if len(varied) >= 2 and frame[varied[0]].n_unique() * frame[varied[1]].n_unique() <= CELLS_MAX:
        picture = heat_map(frame, by=by).svg
    elif len(varied) == 1:
        picture = line_over(frame, varied[0], by).svg
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


def _map(axes: "Axes", grid: FloatArray, by: str) -> None:
    from matplotlib import colormaps

    known = grid[np.isfinite(grid)]
    if by in AROUND_ZERO:
        reach = float(np.abs(known).max(initial=0.0)) or 1.0
        colours, low, high = gains_and_losses(), -reach, reach
    else:
        colours, low, high = (
            colormaps["viridis"],
            float(known.min(initial=np.inf)),
            float(known.max(initial=-np.inf)),
        )
        if not low < high:
            low, high = (low - 0.5, low + 0.5) if np.isfinite(low) else (0.0, 1.0)
    image = axes.pcolormesh(
        np.arange(grid.shape[1] + 1) - 0.5, np.arange(grid.shape[0] + 1) - 0.5, np.ma.masked_invalid(grid),
        cmap=colours.with_extremes(bad=UNKNOWN), vmin=low, vmax=high, rasterized=grid.size > 2_500,
    )  # fmt: skip
    axes.margins(0.0)
    axes.grid(visible=False)
    bar: Any = axes.figure.colorbar(image, ax=axes, pad=0.02)
    bar.set_label(title_of(by), color=INK)
    bar.outline.set_visible(False)
    bar.ax.tick_params(colors=QUIET, length=0)


def _best(frame: pl.DataFrame, by: str) -> dict[str, Any] | None:
    known = frame.filter(pl.col(by).is_not_null())
    return known.sort(by, descending=True, maintain_order=True).row(0, named=True) if known.height else None


def _ordered(values: pl.Series) -> list[Any]:
    return values.unique().sort().to_list()


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _cell(name: str, value: Any) -> str:
    return in_words(name, value) if name in NAMES else _short(value)
