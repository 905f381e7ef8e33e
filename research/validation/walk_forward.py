"""Walk-forward: choose on the past, trade the part after it with that choice, move on, choose again.

Anchored folds learn from everything so far, rolling ones from a window of constant length.  Every fold's test starts
flat with features already warm, and the tests' returns are chained: equity that no choice has seen.
The efficiency ratio is Pardo's ("The evaluation and optimization of trading strategies", 2nd ed. 2008): what was left
out of sample of what the choices promised in sample, here in Sharpe ratios.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from research.backtest import run_backtest
from research.statistics import bars_per_year_at, returns_of, sharpe_of
from research.statistics.sums import FloatArray
from research.validation.case import Case, optimise

Kind = Literal["anchored", "rolling"]

FOLDS: Final = 4
FIRST_SHARE: Final = 0.4
"""Of all bars, before the first test: two of five years, enough for a choice to mean something."""


@dataclass(frozen=True, slots=True)
class Fold:
    """One choice and what came of it."""

    train_first_utc: datetime
    test_first_utc: datetime
    test_last_utc: datetime
    strategy: Any
    """the set chosen, None if none had traded"""
    in_sample: float
    out_of_sample: float
    """annualised Sharpe ratios"""


@dataclass(frozen=True, slots=True, eq=False)
class WalkForward:
    """All folds and the returns they add up to."""

    kind: Kind
    folds: tuple[Fold, ...]
    ts_utc: pl.Series
    returns: FloatArray
    sharpe: float
    """annualised, of the chained out-of-sample returns"""
    in_sample: float
    """mean over the folds"""

    @property
    def efficiency(self) -> float:
        """Out-of-sample over in-sample Sharpe ratio; NaN where nothing was promised."""
        return self.sharpe / self.in_sample if self.in_sample > 0.0 else float("nan")

    @property
    def equity(self) -> pl.DataFrame:
        """ts_utc, equity: one unit of money through all tests."""
        return pl.DataFrame({"ts_utc": self.ts_utc, "equity": np.cumprod(1.0 + self.returns)})


def walk_forward(
    case: Case,
    ts_us: NDArray[np.int64],
    kind: Kind,
    *,
    folds: int = FOLDS,
    first_share: float = FIRST_SHARE,
) -> WalkForward | None:
    """Over the traded bars at `ts_us`; None where a test would have fewer than two bars."""
    size = len(ts_us)
    first = int(size * first_share)
    cuts = first + (size - first) * np.arange(folds + 1) // folds
    if first < 2 or (np.diff(cuts) < 2).any():
        return None
    done, pieces = [], []
    year = bars_per_year_at(ts_us)
    for begin, end in zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True):
        start = 0 if kind == "anchored" else begin - first
        trained, tested, last = (_moment(ts_us[place]) for place in (start, begin, end - 1))
        seen = case.bars.filter(pl.col("ts_utc") < tested)
        found = optimise(case.prepared(case.sets, bars=seen, trade_from=trained))
        chosen = None if found is None else case.sets[found[0]]
        returns = np.zeros(end - begin)
        if chosen is not None:
            returns = _traded(case, chosen, tested, last)
        done.append(
            Fold(
                train_first_utc=trained,
                test_first_utc=tested,
                test_last_utc=last,
                strategy=chosen,
                in_sample=float("nan") if found is None else found[1],
                out_of_sample=sharpe_of(returns, year),
            )
        )
        pieces.append(returns)
    returns = np.concatenate(pieces)
    promised = [fold.in_sample for fold in done if fold.strategy is not None]
    return WalkForward(
        kind=kind,
        folds=tuple(done),
        ts_utc=pl.Series("ts_utc", ts_us[first:]).cast(pl.Datetime("us", "UTC")),
        returns=returns,
        sharpe=sharpe_of(returns, year),
        in_sample=float(np.mean(promised)) if promised else float("nan"),
    )


def _traded(case: Case, chosen: Any, first: datetime, last: datetime) -> FloatArray:
    bars = case.bars.filter(pl.col("ts_utc") <= last)
    result = run_backtest(
        chosen, bars, capital=case.capital, costs=case.costs, trade_from=first, **case.terms
    )
    return returns_of(result.equity["equity"].to_numpy(), case.capital)


def _moment(ts_us: np.int64) -> datetime:
    return datetime.fromtimestamp(int(ts_us) // 1_000_000, UTC).replace(microsecond=int(ts_us) % 1_000_000)
