"""Is the backtest right?  The same orders and statistics from somebody else's code.

vectorbt answers wherever its model can express the case, the naive reference (reference.py) always.  What vectorbt
1.2 cannot express, and what is done about it:

- Cash below zero (a gap between decision and fill, or a target over 1): it has no margin, so the book is given a
  credit line, a second column at a constant price of 1 that is sold short at the first bar.  It pays its price into
  cash and owes it for ever, so the sum of both columns is the margin account.
- Shorting on top of that: the credit line uses up what vectorbt lets one sell short.  Not expressed.
- A commission that is the larger of a rate and a minimum: it adds them.  Not expressed when both are set.
- Whole lots when a position is reduced but not closed: it rounds the order, we round what remains.  Not expressed.
"""

from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Final, Literal

import numpy as np
import polars as pl

from execution.strategy import Portfolio
from research.backtest import Backtest
from research.passes.books import Book, books_of
from research.reference import reference_backtest
from research.statistics import bars_per_year, max_drawdown_of, returns_of, sharpe_of

TOLERANCE: Final = 1e-9
"""Relative: what float operations in another order may differ by over a long run."""

OracleName = Literal["vectorbt", "reference"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an oracle said about a backtest."""

    oracle: OracleName
    orders: int
    """compared one by one"""
    statistics: dict[str, tuple[float, float]]
    """name -> (ours, the oracle's)"""
    differences: tuple[str, ...]
    """in words; empty when they agree"""
    why_not_vectorbt: str | None = None

    @property
    def agrees(self) -> bool:
        return not self.differences


def check(backtest: Backtest, oracle: OracleName = "vectorbt") -> Verdict:
    """Ask `oracle`; the reference answers where vectorbt cannot express the case."""
    why_not = _not_expressible(backtest) if oracle == "vectorbt" else None
    if oracle == "vectorbt" and why_not is None:
        return _check_vectorbt(backtest)
    return _check_reference(backtest, why_not)


def _not_expressible(backtest: Backtest) -> str | None:
    costs, orders = backtest.costs, backtest.orders
    if isinstance(backtest.strategy, Portfolio):
        return "it sizes the orders of one account one after another, not on what the account was worth"
    if backtest.terms.fill == "close" or backtest.actions is not None:
        return "it knows neither fills at the close they were decided on nor splits and dividends"
    if costs.borrow_bps > 0.0 or costs.interest_bps > 0.0:
        return "it charges neither borrow fees nor interest"
    if costs.commission_bps > 0.0 and costs.commission_min > 0.0:
        return "it adds a commission's rate and minimum where a broker takes the larger"
    targets = orders["target"]
    if (targets < 0.0).any() and _lowest_cash(backtest) < 0.0:
        return "it cannot go short in an account whose cash is below zero"
    for (_,), of_symbol in orders.group_by("symbol"):
        before = np.concatenate(([0.0], of_symbol["target"].to_numpy()[:-1]))
        after = of_symbol["target"].to_numpy()
        if ((before * after > 0.0) & (np.abs(after) < np.abs(before))).any():
            return "it rounds the order, not the remaining position, to whole lots"
    return None


def _lowest_cash(backtest: Backtest) -> float:
    signed = pl.when(pl.col("side") == "buy").then(-1.0).otherwise(1.0) * pl.col("qty") * pl.col("fill_price")
    spent = (signed - pl.col("commission")).fill_null(0.0).cum_sum().over("symbol")
    lowest = backtest.orders.select(spent.min()).item()
    return backtest.capital / len(backtest.symbols) + (lowest or 0.0)


def _check_reference(backtest: Backtest, why_not: str | None) -> Verdict:
    theirs = reference_backtest(backtest)
    ours = _rows(backtest.orders)
    differences = _compare_orders(
        ours, [(o.symbol, o.bar_ts_us, o.qty, o.price, o.commission) for o in theirs.orders]
    )
    timeline = backtest.equity["ts_utc"]
    total = np.array([theirs.equity[ts_us] for ts_us in timeline.dt.epoch("us")])
    year = bars_per_year(timeline)
    statistics = {
        "total_return": total[-1] / backtest.capital - 1.0,
        "sharpe": sharpe_of(returns_of(total, backtest.capital), year),
        "max_drawdown": max_drawdown_of(total, backtest.capital),
    }
    return _verdict("reference", backtest, len(ours), differences, statistics, why_not)


def _check_vectorbt(backtest: Backtest) -> Verdict:
    year = bars_per_year(backtest.equity["ts_utc"])
    rows: list[_Row] = []
    total = np.full(len(backtest.equity), 0.0)
    trades = wins = 0
    for book in books_of(backtest.bars, backtest.equity["ts_utc"][0]):
        portfolio = vectorbt_portfolio(backtest, book)
        symbol_column = portfolio.wrapper.columns[0]
        records = portfolio.orders.records_readable
        records = records[records["Column"] == symbol_column]
        signs = np.where(records["Side"] == "Buy", 1.0, -1.0)
        for at, qty, price, fee in zip(
            records["Timestamp"], records["Size"] * signs, records["Price"], records["Fees"], strict=True
        ):
            rows.append(
                (book.symbol, int(book.ts_us[book.start + at - 1]), float(qty), float(price), float(fee))
            )
        positions = portfolio.positions
        closed = positions.closed.records
        closed = closed[closed["col"] == 0]
        trades += len(closed)
        wins += int((closed["pnl"] > 0).sum())
        newest = (
            np.searchsorted(book.ts_us, backtest.equity["ts_utc"].dt.epoch("us").to_numpy(), side="right") - 1
        )
        value = np.asarray(portfolio.value(), dtype=float).ravel()
        share = backtest.capital / len(backtest.symbols)
        total += np.where(newest < book.start, share, value[np.maximum(newest - book.start, 0)])
    statistics = _vectorbt_statistics(total, backtest.capital, year)
    statistics |= {"trades": float(trades), "win_rate": wins / trades if trades else float("nan")}
    # vectorbt knows no order that never filled.
    filled = _rows(backtest.orders.filter(pl.col("fill_price").is_not_null()))
    return _verdict("vectorbt", backtest, len(filled), _compare_orders(filled, rows), statistics, None)


def vectorbt_portfolio(backtest: Backtest, book: Book) -> Any:
    """`backtest`'s targets for one book, traded by vectorbt: sized on the close before, filled at the open."""
    import vectorbt as vbt  # takes seconds

    opens, closes = book.bars.open[book.start :], book.bars.close[book.start :]
    bars = len(opens)
    targets = np.full(bars, np.nan)
    decided = backtest.orders.filter((pl.col("symbol") == book.symbol) & pl.col("fill_price").is_not_null())
    at = np.searchsorted(book.ts_us[book.start :], decided["bar_ts_utc"].dt.epoch("us").to_numpy())
    targets[at + 1] = decided["target"].to_numpy()
    decision_close = np.concatenate((closes[:1], closes[:-1]))
    share = backtest.capital / len(backtest.symbols)
    credit = np.full(bars, np.nan)
    if _lowest_cash(backtest) < 0.0:
        credit[0] = -share  # the most that vectorbt lets this cash sell short
    ones = np.ones(bars)

    def columns(symbol: Any, line: Any) -> Any:
        return np.column_stack((np.broadcast_to(symbol, bars), np.broadcast_to(line, bars)))

    size_type = vbt.portfolio.enums.SizeType
    costs = backtest.costs
    return vbt.Portfolio.from_orders(
        close=columns(closes, ones),
        size=columns(targets, credit),
        size_type=columns(size_type.TargetPercent, size_type.Amount),
        price=columns(opens, ones),
        val_price=columns(decision_close, ones),
        slippage=columns(costs.slippage_bps / 1e4, 0.0),
        fees=columns(costs.commission_bps / 1e4, 0.0),
        fixed_fees=columns(costs.commission_min, 0.0),
        size_granularity=columns(backtest.lot, 1e-9),
        direction="both",
        init_cash=share,
        group_by=True,
        cash_sharing=True,
    )


def _vectorbt_statistics(equity: Any, capital: float, year: float) -> dict[str, float]:
    import pandas as pd
    import vectorbt as vbt  # noqa: F401  # adds .vbt to pandas objects

    returns: Any = pd.Series(returns_of(equity, capital))
    accessor = returns.vbt.returns(freq="1min", year_freq=pd.Timedelta(minutes=year))
    return {
        "total_return": float(accessor.total()),
        "sharpe": float(accessor.sharpe_ratio()),
        "sortino": float(accessor.sortino_ratio()),
        "max_drawdown": float(accessor.max_drawdown()),
    }


_Row = tuple[str, int, float, float | None, float | None]


def _rows(orders: pl.DataFrame) -> list[_Row]:
    signed = pl.when(pl.col("side") == "buy").then(1.0).otherwise(-1.0) * pl.col("qty")
    columns = orders.select("symbol", pl.col("bar_ts_utc").dt.epoch("us"), signed, "fill_price", "commission")
    return list(columns.iter_rows())


def _compare_orders(ours: list[_Row], theirs: list[_Row]) -> list[str]:
    differences = []
    for number, (mine, other) in enumerate(zip_longest(ours, theirs), start=1):
        same = mine is not None and other is not None and mine[:2] == other[:2]
        if not same or not all(_close(a, b) for a, b in zip(mine[2:], other[2:], strict=True)):
            differences.append(f"order {number}: ours {mine}, theirs {other}")
    return differences


def _verdict(
    oracle: OracleName,
    backtest: Backtest,
    orders: int,
    differences: list[str],
    theirs: dict[str, float],
    why_not: str | None,
) -> Verdict:
    compared = {}
    for name, value in theirs.items():
        mine = backtest.statistics[name]
        ours = float("nan") if mine is None else float(mine)
        compared[name] = (ours, value)
        # A Sharpe ratio without deviation, or of an account that lost everything, is no number for us; others give
        # infinity or some number.
        meaningless = np.isnan(ours) and (not np.isfinite(value) or theirs["max_drawdown"] <= -1.0)
        if not _close(ours, value) and not meaningless:
            differences.append(f"{name}: ours {ours!r}, theirs {value!r}")
    return Verdict(oracle, orders, compared, tuple(differences), why_not)


def _close(a: float | None, b: float | None) -> bool:
    if a is None or b is None:
        return a is b
    return bool(np.isclose(a, b, rtol=TOLERANCE, atol=TOLERANCE))
