"""How far equity fell from its highest point, and how long it took to come back."""

import numpy as np
import polars as pl

from research.statistics.sums import FloatArray


def drawdowns_of(equity: FloatArray, capital: float) -> FloatArray:
    """The return from the highest equity so far, bar by bar; zero at a new high."""
    return equity / np.maximum(np.maximum.accumulate(equity), capital) - 1.0


def max_drawdown_of(equity: FloatArray, capital: float) -> float:
    """The deepest drawdown, as a negative return."""
    return float(drawdowns_of(equity, capital).min(initial=0.0))


def drawdown_table(ts_utc: pl.Series, equity: FloatArray, capital: float, top: int = 5) -> pl.DataFrame:
    """The `top` deepest drawdowns: start_utc (the high), bottom_utc, end_utc, depth, and bars down, back and in all.

    end_utc and bars_back are null while the old high has not been seen again; bars then counts to the last bar.
    A drawdown from the starting capital starts at the first bar.
    """
    deep = drawdowns_of(equity, capital)
    under = np.concatenate(([False], deep < 0.0, [False]))
    begins = np.flatnonzero(under[1:] & ~under[:-1])
    ends = np.flatnonzero(under[:-1] & ~under[1:])
    # Every other slice of reduceat is a drawdown; the padding keeps its last bound inside.
    bounds = np.column_stack((begins, ends)).ravel()
    depths = np.minimum.reduceat(np.append(deep, 0.0), bounds)[::2] if bounds.size else np.zeros(0)
    rows = []
    for number in np.argsort(depths, kind="stable")[:top]:
        begin, end = int(begins[number]), int(ends[number])
        start, bottom = max(begin - 1, 0), begin + int(deep[begin:end].argmin())
        back = end < len(deep)
        last = end if back else len(deep) - 1
        rows.append(
            {
                "start_utc": ts_utc[start],
                "bottom_utc": ts_utc[bottom],
                "end_utc": ts_utc[end] if back else None,
                "depth": float(depths[number]),
                "bars_down": bottom - start,
                "bars_back": end - bottom if back else None,
                "bars": last - start,
            }
        )
    moment = {name: ts_utc.dtype for name in ("start_utc", "bottom_utc", "end_utc")}
    counts = dict.fromkeys(("bars_down", "bars_back", "bars"), pl.Int64)
    return pl.DataFrame(rows, schema={**moment, "depth": pl.Float64, **counts})
