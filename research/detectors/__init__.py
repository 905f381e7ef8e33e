"""What is wrong with a strategy before any money is: look-ahead, live forms that differ, warm-up, what it decides.
May import execution and data, and research's passes and backtest.
Start reading at checking.py (what a quant calls), then look_ahead.py and warm_up.py; each detector has its own file.
"""

from research.detectors.checking import check_strategy
from research.detectors.findings import Finding, StrategyCheck
from research.detectors.practice import practice_market

__all__ = ["Finding", "StrategyCheck", "check_strategy", "practice_market"]
