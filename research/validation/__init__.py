"""Is it more than luck?  The best set of a sweep on trial: one verdict, every check with its numbers.
May import execution and data, and research's passes, statistics and backtest.
Start reading at validating.py (what a quant calls), then evidence.py and checks.py; each technique has its own file.
"""

from research.validation.checks import Thresholds
from research.validation.evidence import Evidence
from research.validation.validating import validate
from research.validation.verdict import Check, Validation

__all__ = ["Check", "Evidence", "Thresholds", "Validation", "validate"]
