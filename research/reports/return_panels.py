"""Pictures of returns over time: rolling Sharpe ratio, months, years."""

import calendar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from execution.strategy.arrays import FloatArray
from research.reports.canvas import (
    BLUE,
    INK,
    ORANGE,
    QUIET,
    Panel,
    date_ticks,
    gains_and_losses,
    line,
    no_picture,
    tick,
)
from research.reports.holdings import buy_and_hold
from research.reports.words import percent
from research.statistics import annual_returns, monthly_returns, period_returns, rolling_sharpe
from research.statistics.calendar import sessions_per_year

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from research.backtest import Backtest

MONTHS: Final = tuple(calendar.month_abbr[1:])

WINDOWS: Final = (126, 63, 21, 10)
"""Sessions of a rolling window, half a year to two weeks: the longest that leaves as much again to look at."""


@dataclass(frozen=True, slots=True)
class Year:
    """One row of the monthly table."""

    year: int
    months: tuple[float | None, ...]
    whole: float | None


def sessions(backtest: "Backtest") -> pl.DataFrame:
    """period (a UTC date), return: what each session made; null where equity was gone."""
    return period_returns(
        backtest.equity["ts_utc"], backtest.equity["equity"].to_numpy(), backtest.capital, "1d"
    )


def rolling(backtest: "Backtest") -> Panel:
    """The Sharpe ratio of the last weeks or months, session by session."""
    days = sessions(backtest)
    returns = days["return"].fill_null(0.0).to_numpy()
    window = next((each for each in WINDOWS if len(returns) >= 2 * each), 0)
    title = "Rolling Sharpe ratio"
    if not window:
        return no_picture(
            title,
            f"Not enough history for a rolling Sharpe ratio: {len(returns)} of {2 * WINDOWS[-1]} sessions.",
        )
    values = rolling_sharpe(returns, window, sessions_per_year(backtest.equity["ts_utc"]))
    if np.isnan(values).all():
        return no_picture(title, "Equity never moved, so there is no Sharpe ratio.")
    low, high = float(np.nanmin(values)), float(np.nanmax(values))

    def draw(axes: "Axes") -> None:
        line(axes, values, color=BLUE, linewidth=1.3)
        axes.axhline(0.0, color=QUIET, linewidth=0.8)
        date_ticks(axes, days["period"].cast(pl.Datetime("us", "UTC")))

    return Panel(title, f"between {low:.1f} and {high:.1f}", draw, note=f"of {window} sessions")


def monthly_table(backtest: "Backtest") -> list[Year]:
    """Every year with its twelve months and its whole."""
    equity = backtest.equity["equity"].to_numpy()
    stamps, capital = backtest.equity["ts_utc"], backtest.capital
    found = {
        (year, month): value for year, month, value in monthly_returns(stamps, equity, capital).iter_rows()
    }
    return [
        Year(year, tuple(found.get((year, month)) for month in range(1, 13)), whole)
        for year, whole in annual_returns(stamps, equity, capital).iter_rows()
    ]


def monthly(backtest: "Backtest") -> Panel:
    """The months as a map, a row for every year."""
    years = monthly_table(backtest)
    grid = np.array([[np.nan if value is None else value * 100.0 for value in each.months] for each in years])
    if not np.isfinite(grid).any():
        return no_picture("Monthly returns", "Equity was gone: there are no monthly returns.")
    reach = float(np.nanmax(np.abs(grid))) or 1.0

    def draw(axes: "Axes") -> None:
        axes.pcolormesh(
            grid, cmap=gains_and_losses(), vmin=-reach, vmax=reach, edgecolors="white", linewidth=1.0
        )
        for (row, column), value in np.ndenumerate(grid):
            if np.isfinite(value):
                ink = "white" if abs(value) > 0.75 * reach else INK
                axes.text(column + 0.5, row + 0.5, f"{value:z.1f}", ha="center", va="center", color=ink)
        axes.set_xticks(np.arange(12) + 0.5, MONTHS)
        axes.set_yticks(np.arange(len(years)) + 0.5, [str(each.year) for each in years])
        axes.invert_yaxis()
        axes.grid(visible=False)
        axes.margins(0.0)

    moved = grid[np.isfinite(grid)]
    says = f"{len(moved)} months, the best {moved.max():.1f} %, the worst {moved.min():.1f} %"
    return Panel("Monthly returns", says, draw, note="in %", height=0.7 + 0.26 * len(years))


def annual(backtest: "Backtest") -> Panel:
    """What each year made, beside buying and holding."""
    stamps, capital = backtest.equity["ts_utc"], backtest.capital
    made = annual_returns(stamps, backtest.equity["equity"].to_numpy(), capital)
    held = annual_returns(stamps, buy_and_hold(backtest), capital)
    if made["return"].is_null().all() or len(backtest.equity) < 2:
        return no_picture("Annual returns", "Not enough history for annual returns.")
    mine, theirs = _percents(made), _percents(held)
    years = made["year"].to_list()

    def draw(axes: "Axes") -> None:
        places = np.arange(len(years), dtype=float)
        width = 0.36 if len(years) > 2 else 0.2
        colours = [BLUE if value >= 0.0 else ORANGE for value in mine]
        axes.bar(places - width / 2, mine, width, color=colours)
        axes.bar(places + width / 2, theirs, width, color=QUIET, alpha=0.35)
        if len(years) <= 5:
            span = float(np.ptp(np.concatenate((mine, theirs, [0.0])))) or 1.0
            for place, value in zip(places - width / 2, mine, strict=True):
                above = value >= 0.0
                axes.text(
                    place, value + span * (0.02 if above else -0.02), f"{value:.1f} %", color=INK, ha="center",
                    va="bottom" if above else "top",
                )  # fmt: skip
        every = -(-len(years) // 8)
        axes.set_xticks(places[::every], [str(year) for year in years[::every]])
        axes.axhline(0.0, color=QUIET, linewidth=0.8)
        axes.yaxis.set_major_formatter(lambda value, _: f"{tick(value)} %")
        axes.margins(x=0.05 if len(years) > 2 else 0.4, y=0.12)

    says = ", ".join(f"{year} {percent(value / 100.0, 1)}" for year, value in zip(years, mine, strict=True))
    return Panel("Annual returns", says, draw, note="grey: buy and hold")


def _percents(rows: pl.DataFrame) -> FloatArray:
    return rows["return"].fill_null(0.0).to_numpy() * 100.0
