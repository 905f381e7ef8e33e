"""The strategy contract: what a quant writes once and everything else runs.

May import data; never numba, TA-Lib or pandas at import time (they load when a strategy is made).
Start reading at contract.py; then features.py, sizing.py, incremental.py.
"""

from execution.strategy.contract import Strategy
from execution.strategy.costs import CostModel
from execution.strategy.features import (
    atr,
    constant,
    ema,
    highest,
    lowest,
    price,
    roc,
    rsi,
    sma,
    std,
    wma,
)
from execution.strategy.incremental import Decider
from execution.strategy.params import param
from execution.strategy.position import FLAT, Position
from execution.strategy.source import load_strategy, strategy_source

__all__ = [
    "FLAT",
    "CostModel",
    "Decider",
    "Position",
    "Strategy",
    "atr",
    "constant",
    "ema",
    "highest",
    "load_strategy",
    "lowest",
    "param",
    "price",
    "roc",
    "rsi",
    "sma",
    "std",
    "strategy_source",
    "wma",
]
