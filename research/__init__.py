"""Ideas put to the test: sweeps, backtests, statistics, validation, reports, the oracle, parity, publishing.
May import execution and data.
Start reading at backtest.py (what a quant calls), then passes/ (the loop that everything runs in).
"""

from execution.strategy import CostModel, Portfolio, Strategy
from research.backtest import Backtest, backtest
from research.detectors import check_strategy
from research.records import bars, trials
from research.reports import compare, report
from research.sweep import Sweep, guided, random_search, sweep
from research.validation import Validation, validate

__all__ = [
    "Backtest",
    "CostModel",
    "Portfolio",
    "Strategy",
    "Sweep",
    "Validation",
    "backtest",
    "bars",
    "check_strategy",
    "compare",
    "guided",
    "random_search",
    "report",
    "sweep",
    "trials",
    "validate",
]
