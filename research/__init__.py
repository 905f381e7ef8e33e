"""Ideas put to the test: sweeps, backtests, statistics, reports, the oracle, parity, publishing.
May import execution and data.
Start reading at backtest.py (what a quant calls), then kernel.py (the loop that everything runs in).
"""

from typing import TYPE_CHECKING

from execution.strategy import CostModel, Strategy
from research.backtest import Backtest, backtest
from research.reports import report
from research.sweep import sweep

if TYPE_CHECKING:
    from data import bars

__all__ = ["Backtest", "CostModel", "Strategy", "backtest", "bars", "report", "sweep"]


def __getattr__(name: str) -> object:
    # The data room connects to Postgres and the lake; loaded when bars are asked for.
    if name == "bars":
        from data import bars

        return bars
    raise AttributeError(f"module 'research' has no attribute {name!r}")
