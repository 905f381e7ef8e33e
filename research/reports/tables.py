"""The tables of a tear sheet, in words."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from execution.strategy import Portfolio
from research.reports.holdings import buy_and_hold
from research.reports.return_panels import sessions
from research.reports.words import NOTHING, in_words, number, percent, title_of
from research.statistics import drawdown_table, of_returns, period_returns, relative_to, trade_statistics
from research.statistics.calendar import sessions_per_year

if TYPE_CHECKING:
    from research.backtest import Backtest

Rows = list[tuple[str, str]]

OF_SESSIONS: Final = (
    "volatility", "omega", "tail_ratio", "skew", "kurtosis", "value_at_risk", "conditional_value_at_risk",
)  # fmt: skip
OF_TRADES: Final = (
    "payoff", "profit_factor", "expectancy", "best", "worst", "average_duration_s", "longest_losing_streak",
)  # fmt: skip


def trades_in_words(backtest: "Backtest") -> Rows:
    """What the closed trades have in common."""
    closed = backtest.trades.filter(pl.col("profit").is_not_null()).sort("exit_ts_utc", maintain_order=True)
    lasted = (closed["exit_ts_utc"] - closed["entry_ts_utc"]).dt.total_seconds().to_numpy().astype(float)
    found = trade_statistics(closed["profit"].to_numpy(), lasted)
    still_open = len(backtest.trades) - len(closed)
    return [
        *((title_of(name), in_words(name, found[name])) for name in OF_TRADES),
        ("Still open at the end", number(still_open, 0)),
    ]


def sessions_in_words(backtest: "Backtest") -> Rows:
    """The distribution of session returns, and what buying and holding explains of them."""
    days = sessions(backtest)["return"].drop_nulls().to_numpy()
    year = sessions_per_year(backtest.equity["ts_utc"])
    found = of_returns(days, year)
    rows = [(title_of(name), in_words(name, found[name])) for name in OF_SESSIONS]
    held = period_returns(backtest.equity["ts_utc"], buy_and_hold(backtest), backtest.capital, "1d")
    benchmark = held["return"].to_numpy()
    known = len(days) == len(benchmark) and len(days) >= 3
    relative = relative_to(benchmark, days, year) if known else None
    for name in ("alpha", "beta", "information_ratio", "correlation"):
        rows.append((f"{title_of(name)}, to buy and hold", in_words(name, getattr(relative, name, None))))
    return rows


def drawdowns(backtest: "Backtest", top: int = 5) -> list[list[str]]:
    """The deepest drawdowns: depth, high, bottom, back again, bars down and in all."""
    stamps = backtest.equity["ts_utc"]
    shape = "%-d %b %Y" if stamps[-1] - stamps[0] > timedelta(days=5) else "%-d %b %H:%M"
    found = drawdown_table(stamps, backtest.equity["equity"].to_numpy(), backtest.capital, top)
    return [
        [
            percent(row["depth"]),
            *(
                f"{row[name]:{shape}}" if row[name] else "not yet"
                for name in ("start_utc", "bottom_utc", "end_utc")
            ),
            number(row["bars_down"], 0),
            number(row["bars"], 0),
        ]
        for row in found.iter_rows(named=True)
    ]


def terms(backtest: "Backtest") -> Rows:
    """Under which the numbers hold."""
    costs = backtest.costs
    return [
        ("Capital", f"{backtest.capital:,.2f}"),
        ("Books", _books(backtest)),
        ("Slippage", f"{costs.slippage_bps:g} bps"),
        ("Commission", f"{costs.commission_bps:g} bps, at least {costs.commission_min:g}"),
        ("Borrowing shares", f"{costs.borrow_bps:g} bps a year"),
        ("Borrowing money", f"{costs.interest_bps:g} bps a year"),
        ("Lot", f"{backtest.lot:g}"),
        ("Leverage", f"at most {backtest.terms.leverage:g}"),
        ("Fills", _timing(backtest)),
        ("Orders", number(backtest.orders.height, 0)),
    ]


def by_symbol(backtest: "Backtest") -> list[list[str]]:
    """Every symbol's return, closed trades, winners, and mean, best and worst profit."""
    share = backtest.capital / len(backtest.symbols)
    ends: dict[str, float] = dict(
        backtest.books.group_by("symbol").agg(pl.col("equity").sort_by("ts_utc").last()).iter_rows()
    )
    profits = {
        str(symbol): trades["profit"].drop_nulls().to_numpy()
        for (symbol,), trades in backtest.trades.partition_by("symbol", as_dict=True).items()
    }
    rows = []
    for symbol in backtest.symbols:
        found: dict[str, Any] = trade_statistics(profits.get(symbol, np.zeros(0)))
        made = percent(ends[symbol] / share - 1.0) if symbol in ends else NOTHING
        rows.append(
            [
                symbol,
                made,
                number(found["trades"], 0),
                percent(found["win_rate"]),
                *(number(found[name]) for name in ("expectancy", "best", "worst")),
            ]
        )
    return rows


def _books(backtest: "Backtest") -> str:
    if isinstance(backtest.strategy, Portfolio):
        return "one account for all"
    return f"{len(backtest.symbols)} of {backtest.capital / len(backtest.symbols):,.2f}"


def _timing(backtest: "Backtest") -> str:
    if backtest.terms.fill == "close":
        return "at the deciding close: a study"
    late = backtest.terms.delay_bars
    return "at the next open" if not late else f"at the next open, {late} bar{'s' if late > 1 else ''} late"
