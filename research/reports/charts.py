"""Single pictures for notebooks and other pages."""

from typing import TYPE_CHECKING

import polars as pl

from research.reports import account_panels, trade_panels
from research.reports.canvas import (
    BLUE,
    DASHES,
    HUES,
    ORANGE,
    QUIET,
    WIDE,
    Chart,
    date_ticks,
    drawn,
    inches,
    legend,
    line,
    tick,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from research.backtest import Backtest


def equity_chart(
    backtest: "Backtest", width: float = WIDE, height: float = 2.9, *, benchmark: bool = True
) -> Chart:
    """Equity, and what holding the symbols in equal parts would have made."""
    return account_panels.equity(backtest, benchmark=benchmark).chart(width, height)


def drawdown_chart(backtest: "Backtest", width: float = WIDE, height: float = 1.6) -> Chart:
    """How far below its highest equity the account was."""
    return account_panels.drawdown(backtest).chart(width, height)


def price_chart(
    backtest: "Backtest", symbol: str, width: float = WIDE, height: float = 2.9
) -> tuple[Chart, str]:
    """(closes with fills on them, what is shown in words)."""
    panel = trade_panels.prices(backtest, symbol)
    return panel.chart(width, height), panel.note


def closes_chart(bars: pl.DataFrame, width: float = WIDE, height: float = 2.9) -> Chart:
    """The closes of each symbol, as a percentage of its first."""
    parts = bars.sort("symbol", "ts_utc").partition_by("symbol", maintain_order=True)

    def draw(axes: "Axes") -> None:
        for number, closes in enumerate(parts):
            values = closes["close"].to_numpy()
            line(
                axes, (values / values[0] - 1.0) * 100.0, color=HUES[number % len(HUES)],
                linestyle=DASHES[number // len(HUES) % len(DASHES)], linewidth=1.2, label=closes["symbol"][0],
            )  # fmt: skip
        date_ticks(axes, max(parts, key=len)["ts_utc"])
        axes.yaxis.set_major_formatter(lambda value, _: f"{tick(value)} %")
        legend(axes)

    symbols = ", ".join(closes["symbol"][0] for closes in parts)
    return drawn(draw, width, height, f"Closes of {symbols} in per cent of the first")


def columns_chart(
    rows: pl.DataFrame, x: str, y: str, width: float = WIDE, height: float = 2.3, *, unit: str = ""
) -> Chart:
    """A column `y` of a frame as a bar for each row, called by its `x`: counts, sizes, shares."""
    names, heights = rows[x].cast(pl.String).to_list(), rows[y].cast(pl.Float64).to_numpy()

    def draw(axes: "Axes") -> None:
        longest = max(map(len, names), default=1)
        every = max(1, -(-len(names) // max(1, int(inches(axes) / (0.3 + 0.085 * longest)))))
        axes.bar(
            range(len(names)), heights, 0.82, color=[BLUE if each >= 0.0 else ORANGE for each in heights]
        )
        axes.set_xticks(range(0, len(names), every), names[::every])
        axes.axhline(0.0, color=QUIET, linewidth=0.8)
        axes.set_xlabel(x)
        axes.set_ylabel(f"{y}, {unit}" if unit else y)
        axes.yaxis.set_major_formatter(lambda value, _: tick(value))

    return drawn(draw, width, height, f"{y} by {x}")
