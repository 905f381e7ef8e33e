"""Pictures of single trades: their returns, how long they were held, and fills on prices."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from research.reports.canvas import (
    BLUE,
    GREEN,
    INK,
    ORANGE,
    PAPER,
    QUIET,
    RED,
    Panel,
    date_ticks,
    legend,
    line,
    no_picture,
    tick,
)
from research.reports.words import number, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from research.backtest import Backtest

FILLS_MAX: Final = 120
"""Markers of more fills than this hide the price; the chart then shows the newest that fit."""

LENGTHS: Final = (
    ("≤ 5 min", timedelta(minutes=5)),
    ("≤ 30 min", timedelta(minutes=30)),
    ("≤ 2 h", timedelta(hours=2)),
    ("≤ 1 day", timedelta(days=1)),
    ("≤ 1 week", timedelta(days=7)),
    ("≤ 1 month", timedelta(days=31)),
    ("≤ 1 year", timedelta(days=366)),
    ("longer", timedelta(days=1_000_000)),
)


def trade_returns(backtest: "Backtest") -> Panel:
    """How often a trade made how much."""
    made = backtest.trades["profit_pct"].drop_nulls().to_numpy()
    if not made.size:
        return no_picture("Returns of trades", "No trade was closed.")
    outside = 0
    if made.size >= 50:
        low, high = np.quantile(made, (0.005, 0.995))
        outside = int(((made < low) | (made > high)).sum())
        inside = made[(made >= low) & (made <= high)]
    else:
        inside = made
    edges = _edges(inside)
    counts, _ = np.histogram(inside, edges)
    median = float(np.median(made))

    def draw(axes: "Axes") -> None:
        from matplotlib.ticker import MaxNLocator

        middles, widths = (edges[1:] + edges[:-1]) / 2.0, np.diff(edges) * 0.9
        axes.bar(middles, counts, widths, color=[BLUE if middle >= 0.0 else ORANGE for middle in middles])
        axes.axvline(median, color=INK, linewidth=1.0, linestyle="--", label=f"median {median:.2f} %")
        axes.xaxis.set_major_formatter(lambda value, _: f"{tick(value)} %")
        axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
        legend(axes)

    won = float((made > 0.0).mean())
    says = f"{made.size:,} closed trades, {percent(won, 0)} won, the median made {median:.2f} %"
    return Panel("Returns of trades", says, draw, note=f"{outside} beyond the edges" if outside else "")


def trade_lengths(backtest: "Backtest") -> Panel:
    """The mean return of trades by how long they were held."""
    closed = backtest.trades.filter(pl.col("profit_pct").is_not_null())
    if closed.is_empty():
        return no_picture("Trades by time held", "No trade was closed.")
    lasted = (closed["exit_ts_utc"] - closed["entry_ts_utc"]).dt.total_seconds().to_numpy()
    made = closed["profit_pct"].to_numpy()
    bounds = np.array([length.total_seconds() for _, length in LENGTHS])
    bucket = np.searchsorted(bounds, lasted)
    groups = [(LENGTHS[number][0], made[bucket == number]) for number in np.unique(bucket)]
    means = [float(returns.mean()) for _, returns in groups]

    def draw(axes: "Axes") -> None:
        span = float(np.ptp([*means, 0.0])) or 1.0
        for place, ((_, returns), mean) in enumerate(zip(groups, means, strict=True)):
            axes.bar(place, mean, 0.6, color=BLUE if mean >= 0.0 else ORANGE)
            above = mean >= 0.0
            axes.text(
                place, mean + span * (0.03 if above else -0.03), f"{len(returns):,}", ha="center",
                va="bottom" if above else "top", color=INK,
            )  # fmt: skip
        axes.set_xticks(range(len(groups)), [name for name, _ in groups])
        axes.axhline(0.0, color=QUIET, linewidth=0.8)
        axes.yaxis.set_major_formatter(lambda value, _: f"{tick(value)} %")
        axes.margins(x=0.05 if len(groups) > 2 else 0.6, y=0.14)

    says = "mean return: " + ", ".join(
        f"{name} {mean:.2f} % of {len(returns):,}"
        for (name, returns), mean in zip(groups, means, strict=True)
    )
    return Panel("Trades by time held", says, draw, note="mean return; above it, how many")


def prices(backtest: "Backtest", symbol: str) -> Panel:
    """Closes with fills on them; the note says which fills are shown."""
    bars = backtest.bars.filter(pl.col("symbol") == symbol).sort("ts_utc")
    bars = bars.filter(pl.col("ts_utc") >= backtest.equity["ts_utc"][0])
    fills = backtest.orders.filter((pl.col("symbol") == symbol) & pl.col("fill_price").is_not_null())
    shown = f"{len(fills):,} fills"
    if len(bars) < 2:
        return no_picture(symbol, "Not enough history for a price chart: there is one bar.")
    if len(fills) > FILLS_MAX:
        shown = f"the newest {FILLS_MAX} of {len(fills):,} fills"
        fills = fills.tail(FILLS_MAX)
        bars = bars.filter(pl.col("ts_utc") >= fills["bar_ts_utc"][0])
    closes = bars["close"].to_numpy()

    def draw(axes: "Axes") -> None:
        line(axes, closes, color=QUIET, linewidth=0.9)
        for side, marker, color in (("buy", "^", GREEN), ("sell", "v", RED)):
            chosen = fills.filter(pl.col("side") == side)
            at: Any = bars["ts_utc"].search_sorted(chosen["fill_ts_utc"]).to_numpy() if len(chosen) else []
            axes.scatter(
                at, chosen["fill_price"], marker=marker, s=26, color=color, linewidths=0.6, edgecolors=PAPER,
                zorder=3, label=side,
            )  # fmt: skip
        date_ticks(axes, bars["ts_utc"])
        axes.yaxis.set_major_formatter(lambda value, _: tick(value))
        if len(fills):
            legend(axes)

    says = f"closes of {symbol} between {number(closes.min())} and {number(closes.max())}, with {shown}"
    return Panel(symbol, says, draw, note=shown)


def _edges(values: Any) -> Any:
    """Bars of one width, with an edge at zero, so that none counts gains and losses together."""
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    width = (high - low) / 30.0 or 1.0
    return np.arange(np.floor(low / width), np.ceil(high / width) + 1.5) * width
