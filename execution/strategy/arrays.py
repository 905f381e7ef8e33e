"""Bars of one symbol as numpy columns: what features and kernels read."""

from typing import Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data.errors import UsageError

FloatArray = NDArray[np.float64]

COLUMNS: Final = ("open", "high", "low", "close", "volume")


class Ohlcv(NamedTuple):
    """One finished bar."""

    open: float
    high: float
    low: float
    close: float
    volume: float


class BarArrays(NamedTuple):
    """Columns of equal length, oldest bar first."""

    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray

    @classmethod
    def of(cls, frame: pl.DataFrame) -> "BarArrays":
        """The columns of a frame that holds one symbol's bars in order of time."""
        if "symbol" in frame.columns and frame["symbol"].n_unique() > 1:
            raise UsageError(
                "the frame holds several symbols where one is needed",
                "Filter it first: bars.filter(pl.col('symbol') == …).",
            )
        # A writable copy: numba compiles another kernel for read-only arrays.
        return cls(*(frame[name].cast(pl.Float64).to_numpy(writable=True) for name in COLUMNS))

    def __len__(self) -> int:
        return len(self.close)
