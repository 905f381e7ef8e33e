"""Pictures of the account: equity and what holding would have made, drawdown, exposure, costs."""

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from execution.strategy.arrays import FloatArray
from research.reports.canvas import (
    BLUE,
    DASHES,
    HUES,
    INK,
    LINE,
    ORANGE,
    QUIET,
    RED,
    Panel,
    date_ticks,
    legend,
    line,
    no_picture,
    tick,
)
from research.reports.holdings import buy_and_hold, exposure, money
from research.reports.words import number, percent
from research.statistics import drawdowns_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from research.backtest import Backtest

SYMBOLS_MAX: Final = 7
"""Symbols beyond these are drawn as one: more colours cannot be told apart."""


def equity(backtest: "Backtest", *, benchmark: bool = True) -> Panel:
    """Equity, and what holding the symbols in equal parts would have made."""
    values = backtest.equity["equity"].to_numpy()
    if len(values) < 2:
        return no_picture("Equity", "Not enough history for an equity curve: there is one bar.")
    held = buy_and_hold(backtest) if benchmark else None
    says = f"from {number(backtest.capital, 0)} to {number(values[-1], 0)}"
    if held is not None:
        says += f"; buying and holding ended at {number(held[-1], 0)}"

    def draw(axes: "Axes") -> None:
        if held is not None:
            line(axes, held, color=QUIET, linewidth=1.0, linestyle="--", label="buy and hold")
        shown = line(axes, values, color=BLUE, linewidth=1.5, label=type(backtest.strategy).__name__)
        axes.fill_between(*shown, backtest.capital, color=BLUE, alpha=0.08, linewidth=0)
        axes.axhline(backtest.capital, color=QUIET, linewidth=0.6, zorder=0)
        date_ticks(axes, backtest.equity["ts_utc"])
        axes.yaxis.set_major_formatter(lambda value, _: tick(value))
        if held is not None:
            legend(axes)

    return Panel("Equity", says, draw, height=2.9)


def drawdown(backtest: "Backtest") -> Panel:
    """How far below its highest equity the account was."""
    values = backtest.equity["equity"].to_numpy()
    below = drawdowns_of(values, backtest.capital) * 100.0
    if len(values) < 2 or not below.any():
        why = "there is one bar" if len(values) < 2 else "equity never fell below its highest point"
        return no_picture("Drawdown", f"No drawdown to draw: {why}.")

    def draw(axes: "Axes") -> None:
        shown = line(axes, below, color=RED, linewidth=1.0)
        axes.fill_between(*shown, 0.0, color=RED, alpha=0.15, linewidth=0)
        date_ticks(axes, backtest.equity["ts_utc"])
        axes.yaxis.set_major_formatter(lambda value, _: f"{tick(value)} %")
        axes.set_ylim(top=0.0)

    return Panel("Drawdown", f"the deepest was {percent(below.min() / 100.0)}", draw, height=1.7)


def exposure_by_symbol(backtest: "Backtest") -> Panel:
    """How much of the equity stood in each symbol, stacked; short positions below zero."""
    found = exposure(backtest)
    shares = _the_largest(found.shares)
    if not any(share.any() for share in shares.values()):
        return no_picture("Exposure", "Nothing was ever held.")
    means = ", ".join(f"{symbol} {percent(float(share.mean()), 0)}" for symbol, share in shares.items())
    averaged = f"mean of {found.bars_per_column:,.0f} bars a step" if found.bars_per_column > 1.5 else ""

    def draw(axes: "Axes") -> None:
        steps = np.append(found.starts, len(backtest.equity))
        for sign in (1.0, -1.0):
            base = np.zeros(len(steps))
            for colour, (symbol, share) in zip(HUES, shares.items(), strict=False):
                part = np.maximum(np.append(share, share[-1]) * sign, 0.0) * sign * 100.0
                if part.any() or sign > 0.0:
                    axes.fill_between(
                        steps, base, base + part, step="post", color=colour, alpha=0.75, linewidth=0,
                        label=symbol if sign > 0.0 else None,
                    )  # fmt: skip
                base = base + part
        axes.axhline(0.0, color=QUIET, linewidth=0.6)
        date_ticks(axes, backtest.equity["ts_utc"])
        axes.yaxis.set_major_formatter(lambda value, _: f"{tick(value)} %")
        legend(axes)

    return Panel("Exposure", f"on average of equity: {means}", draw, note=averaged)


def costs(backtest: "Backtest") -> Panel:
    """From the gross result to the net one, a bar for everything that was paid."""
    parts = money(backtest)
    if backtest.orders["fill_price"].is_null().all():
        return no_picture("What it cost", "Nothing was traded, and nothing paid.")
    says = ", ".join(f"{name} {number(amount, 0)}" for name, amount in parts)

    def draw(axes: "Axes") -> None:
        level = 0.0
        reach = max(abs(amount) for _, amount in parts) or 1.0
        for place, (name, amount) in enumerate(parts):
            whole = name in ("gross", "net")
            start = 0.0 if whole else level
            colour = (BLUE if amount >= 0.0 else RED) if whole else ORANGE
            axes.barh(place, amount, left=start, height=0.62, color=colour, alpha=0.85)
            level = start + amount
            words = f"{amount:+,.0f}" if whole else number(amount, 0)
            right = max(start, level)
            axes.text(right + 0.02 * reach, place, words, va="center", color=INK)
        axes.set_yticks(range(len(parts)), [name for name, _ in parts])
        axes.invert_yaxis()
        axes.axvline(0.0, color=QUIET, linewidth=0.6)
        axes.grid(visible=False)
        axes.margins(x=0.16)
        axes.set_xticks([])

    return Panel("What it cost", says, draw)


def lines(curves: dict[str, FloatArray], ts_utc: pl.Series, *, title: str, unit: str = "") -> Panel:
    """Several series on one timeline, told apart by colour and by dash."""
    ends = {name: values[~np.isnan(values)] for name, values in curves.items()}
    says = ", ".join(
        f"{name} ends at {number(found[-1])}{unit}" for name, found in ends.items() if found.size
    )

    def draw(axes: "Axes") -> None:
        for place, (name, values) in enumerate(curves.items()):
            line(
                axes, values, color=HUES[place % len(HUES)], linestyle=DASHES[place // 2 % len(DASHES)],
                linewidth=1.4, label=name,
            )  # fmt: skip
        axes.axhline(0.0, color=LINE, linewidth=0.8, zorder=0)
        date_ticks(axes, ts_utc)
        axes.yaxis.set_major_formatter(lambda value, _: f"{tick(value)}{unit}")
        legend(axes)

    return Panel(title, says, draw, height=3.0)


def _the_largest(shares: dict[str, FloatArray]) -> dict[str, FloatArray]:
    if len(shares) <= SYMBOLS_MAX:
        return shares
    ranked = sorted(shares, key=lambda symbol: -float(np.abs(shares[symbol]).mean()))
    named = ranked[: SYMBOLS_MAX - 1]
    rest = [shares[symbol] for symbol in ranked[SYMBOLS_MAX - 1 :]]
    kept = {symbol: share for symbol, share in shares.items() if symbol in named}
    return {**kept, f"{len(rest)} others": np.sum(rest, axis=0)}
