"""Charts as SVG: small, self-contained, the same bytes for the same data.

Time axes count bars, not hours, so that nights and weekends take no room.
"""

import io
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from execution.strategy.arrays import FloatArray
from research.statistics import drawdowns_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from research.backtest import Backtest

INK: Final = "#1c2733"
QUIET: Final = "#8a96a3"
LINE: Final = "#e4e8ed"
BLUE: Final = "#2563eb"
GREEN: Final = "#0f8a5f"
RED: Final = "#c8384a"
HUES: Final = (BLUE, GREEN, "#b45309", "#7c3aed", "#0e7490", RED)

POINTS_PER_INCH: Final = 80
"""About the pixels a chart has: longer series keep each stretch's lowest and highest point."""

FILLS_MAX: Final = 120
"""Markers of more fills than this hide the price; the chart then shows the newest that fit."""


@dataclass(frozen=True, slots=True)
class Chart:
    """One SVG picture; notebooks show it."""

    svg: str

    def _repr_svg_(self) -> str:
        return self.svg


def equity_chart(
    backtest: "Backtest", width: float = 9.0, height: float = 2.9, *, benchmark: bool = True
) -> Chart:
    """Equity, and what holding the symbols in equal parts would have made."""
    equity = backtest.equity["equity"].to_numpy()
    with _axes(width, height) as (figure, axes):
        if benchmark:
            _draw(axes, buy_and_hold(backtest), color=QUIET, linewidth=1.0, label="buy and hold")
        shown = _draw(axes, equity, color=BLUE, linewidth=1.5, label=type(backtest.strategy).__name__)
        axes.fill_between(*shown, backtest.capital, color=BLUE, alpha=0.08, linewidth=0)
        axes.axhline(backtest.capital, color=LINE, linewidth=0.8, zorder=0)
        _date_ticks(axes, backtest.equity["ts_utc"])
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        if benchmark:
            _legend(axes)
        return Chart(_svg(figure))


def drawdown_chart(backtest: "Backtest", width: float = 9.0, height: float = 1.6) -> Chart:
    """How far below its highest equity the account was."""
    below = drawdowns_of(backtest.equity["equity"].to_numpy(), backtest.capital) * 100.0
    with _axes(width, height) as (figure, axes):
        shown = _draw(axes, below, color=RED, linewidth=1.0)
        axes.fill_between(*shown, 0.0, color=RED, alpha=0.15, linewidth=0)
        _date_ticks(axes, backtest.equity["ts_utc"])
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:.1f} %")
        axes.set_ylim(top=0.0)
        return Chart(_svg(figure))


def price_chart(
    backtest: "Backtest", symbol: str, width: float = 9.0, height: float = 2.9
) -> tuple[Chart, str]:
    """(closes with fills on them, what is shown in words)."""
    bars = backtest.bars.filter(pl.col("symbol") == symbol).sort("ts_utc")
    bars = bars.filter(pl.col("ts_utc") >= backtest.equity["ts_utc"][0])
    fills = backtest.orders.filter((pl.col("symbol") == symbol) & pl.col("fill_price").is_not_null())
    shown = f"{len(fills)} fills"
    if len(fills) > FILLS_MAX:
        shown = f"the newest {FILLS_MAX} of {len(fills)} fills"
        fills = fills.tail(FILLS_MAX)
        bars = bars.filter(pl.col("ts_utc") >= fills["bar_ts_utc"][0])
    with _axes(width, height) as (figure, axes):
        _draw(axes, bars["close"].to_numpy(), color=INK, linewidth=1.0)
        for side, marker, color in (("buy", "^", GREEN), ("sell", "v", RED)):
            chosen = fills.filter(pl.col("side") == side)
            at: Any = bars["ts_utc"].search_sorted(chosen["fill_ts_utc"]).to_numpy() if len(chosen) else []
            axes.scatter(
                at, chosen["fill_price"], marker=marker, s=26, color=color, linewidths=0.6, edgecolors="white",
                zorder=3, label=side,
            )  # fmt: skip
        _date_ticks(axes, bars["ts_utc"])
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.2f}")
        if len(fills):
            _legend(axes)
        return Chart(_svg(figure)), shown


def closes_chart(bars: pl.DataFrame, width: float = 9.0, height: float = 2.9) -> Chart:
    """The closes of each symbol, as a percentage of its first."""
    with _axes(width, height) as (figure, axes):
        for number, (symbol,) in enumerate(bars.select("symbol").unique(maintain_order=True).iter_rows()):
            closes = bars.filter(pl.col("symbol") == symbol).sort("ts_utc")
            values = closes["close"].to_numpy()
            _draw(
                axes,
                (values / values[0] - 1.0) * 100.0,
                color=HUES[number % len(HUES)],
                linewidth=1.2,
                label=symbol,
            )
            if number == 0:
                _date_ticks(axes, closes["ts_utc"])
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:+.0f} %")
        _legend(axes)
        return Chart(_svg(figure))


def heat_map(
    swept: pl.DataFrame, x: str, y: str, value: str = "sharpe", width: float = 6.5, height: float = 4.2
) -> Chart:
    """A sweep's `value` over two parameters; where several sets share a cell, the best."""
    cells = swept.group_by(x, y).agg(pl.col(value).max())
    across, up = cells[x].unique().sort().to_list(), cells[y].unique().sort().to_list()
    grid = np.full((len(up), len(across)), np.nan)
    for at, height_at, found in cells.select(x, y, value).iter_rows():
        grid[up.index(height_at), across.index(at)] = np.nan if found is None else found
    with _axes(width, height) as (figure, axes):
        reach = float(np.nanmax(np.abs(grid))) if np.isfinite(grid).any() else 1.0
        image = axes.imshow(grid, origin="lower", aspect="auto", cmap="RdYlBu", vmin=-reach, vmax=reach)
        for axis, values in ((axes.xaxis, across), (axes.yaxis, up)):
            every = max(1, len(values) // 10)
            axis.set_ticks(range(0, len(values), every), [str(each) for each in values[::every]])
        axes.set_xlabel(x, color=INK, fontsize=9)
        axes.set_ylabel(y, color=INK, fontsize=9)
        axes.grid(visible=False)
        bar = figure.colorbar(image, ax=axes, pad=0.02)
        bar.set_label(value.replace("_", " "), color=INK, fontsize=9)
        bar.outline.set_visible(False)
        bar.ax.tick_params(labelsize=8, colors=QUIET, length=0)
        return Chart(_svg(figure))


def buy_and_hold(backtest: "Backtest") -> FloatArray:
    """The capital in equal parts in each symbol from the first traded bar, at each close, without costs."""
    timeline = backtest.equity.select("ts_utc")
    total = np.zeros(len(timeline))
    for symbol in backtest.symbols:
        closes = backtest.bars.filter(pl.col("symbol") == symbol).select("ts_utc", "close").sort("ts_utc")
        laid = timeline.join_asof(closes, on="ts_utc")["close"].fill_null(strategy="backward")
        total += (laid / laid[0]).to_numpy()
    return total * (backtest.capital / len(backtest.symbols))


@contextmanager
def _axes(width: float, height: float) -> "Iterator[tuple[Figure, Axes]]":
    import matplotlib as mpl
    from matplotlib.figure import Figure

    # Text stays text (small, searchable); a fixed salt makes ids, and so the bytes, repeat.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "slipway", "font.family": "sans-serif"}):
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.add_subplot()
        axes.spines[:].set_visible(False)
        axes.tick_params(colors=QUIET, labelsize=8, length=0)
        axes.grid(axis="y", color=LINE, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.margins(x=0.01)
        yield figure, axes


def _legend(axes: Any) -> None:
    """Above the axes, where it never covers what it explains."""
    axes.legend(
        frameon=False, loc="lower left", bbox_to_anchor=(0.0, 1.0), fontsize=8, labelcolor=INK, ncols=8
    )


def _draw(axes: "Axes", values: FloatArray, **style: Any) -> tuple[FloatArray, FloatArray]:
    figure: Any = axes.figure
    at = _kept(values, int(figure.get_figwidth() * POINTS_PER_INCH))
    axes.plot(at, values[at], solid_joinstyle="round", **style)
    return at, values[at]


def _kept(values: FloatArray, points: int) -> Any:
    if len(values) <= points:
        return np.arange(len(values))
    edges = np.linspace(0, len(values), points // 2 + 1).astype(int)
    kept = {0, len(values) - 1}
    for first, last in itertools.pairwise(edges.tolist()):
        kept.add(first + int(np.argmin(values[first:last])))
        kept.add(first + int(np.argmax(values[first:last])))
    return np.array(sorted(kept))


def _date_ticks(axes: "Axes", ts_utc: pl.Series, ticks_max: int = 7) -> None:
    days = ts_utc.dt.date()
    starts = [0, *(np.flatnonzero((days[1:] != days[:-1]).to_numpy()) + 1).tolist()] if len(days) > 1 else [0]
    if len(starts) == 1:  # one session: clock times
        places = np.linspace(0, len(ts_utc) - 1, min(ticks_max, len(ts_utc))).astype(int).tolist()
        axes.set_xticks(places, [f"{ts_utc[place]:%H:%M}" for place in places])
        return
    every = -(-len(starts) // ticks_max)
    years = days[0].year != days[-1].year
    chosen = starts[::every]
    axes.set_xticks(
        chosen, [f"{days[place]:%-d %b %Y}" if years else f"{days[place]:%-d %b}" for place in chosen]
    )


def _svg(figure: "Figure") -> str:
    written = io.StringIO()
    figure.savefig(written, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = written.getvalue()
    return text[text.index("<svg") :]  # without the XML prologue, so that it can stand inside HTML
