"""Named numbers a rule reads: prices, TA-Lib's indicators, the session's clock and prices, and your own.

Each feature has two forms that agree bit for bit from the first bar of the data on (all but `vectorised`): `batch`
over arrays for research and `incremental` one bar at a time for a running engine.
Start reading at feature.py.
"""

from execution.strategy.features.columns import constant, lag, price
from execution.strategy.features.combined import log_deviation, log_return, rolling_vwap, volatility, zscore
from execution.strategy.features.feature import Feature, Stream, feature_columns, lay_down
from execution.strategy.features.in_session import (
    minutes_since_open,
    minutes_to_close,
    overnight_gap,
    previous_close,
    previous_session,
    session_bar,
    session_high,
    session_low,
    session_number,
    session_open,
    vwap,
)
from execution.strategy.features.indicators import (
    adx,
    atr,
    bollinger,
    ema,
    highest,
    linreg_slope,
    lowest,
    macd,
    obv,
    roc,
    rsi,
    sma,
    std,
    stochastic,
    wma,
)
from execution.strategy.features.own import bar_by_bar, vectorised

__all__ = [
    "Feature",
    "Stream",
    "adx",
    "atr",
    "bar_by_bar",
    "bollinger",
    "constant",
    "ema",
    "feature_columns",
    "highest",
    "lag",
    "lay_down",
    "linreg_slope",
    "log_deviation",
    "log_return",
    "lowest",
    "macd",
    "minutes_since_open",
    "minutes_to_close",
    "obv",
    "overnight_gap",
    "previous_close",
    "previous_session",
    "price",
    "roc",
    "rolling_vwap",
    "rsi",
    "session_bar",
    "session_high",
    "session_low",
    "session_number",
    "session_open",
    "sma",
    "std",
    "stochastic",
    "vectorised",
    "volatility",
    "vwap",
    "wma",
    "zscore",
]
