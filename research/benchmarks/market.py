"""A market that needs no data: a random walk of minutes in sessions."""

from datetime import UTC, datetime

import numpy as np
import polars as pl


def random_market(bars: int, per_day: int = 390) -> pl.DataFrame:
    """A random walk of minutes in sessions."""
    random = np.random.default_rng(4)
    close = 100.0 * np.exp(np.cumsum(random.normal(0.0, 6e-4, bars)))
    open_ = np.concatenate(([100.0], close[:-1])) * np.exp(random.normal(0.0, 5e-5, bars))
    first = datetime(2020, 1, 6, 14, 30, tzinfo=UTC)
    number = np.arange(bars)
    days = number // per_day
    stamp = (days // 5 * 7 + days % 5) * 86_400 + number % per_day * 60
    return pl.DataFrame(
        {
            "symbol": pl.Series(["WALK"]).new_from_index(0, bars),
            "ts_utc": pl.Series((stamp + int(first.timestamp())) * 1_000_000).cast(pl.Datetime("us", "UTC")),
            "open": open_,
            "high": np.maximum(open_, close),
            "low": np.minimum(open_, close),
            "close": close,
            "volume": np.ones(bars),
        }
    )
