"""What the closed trades of a book have in common."""

from typing import Any

import numpy as np

from research.statistics.sums import FloatArray


def trade_statistics(profits: FloatArray, durations_s: FloatArray | None = None) -> dict[str, Any]:
    """Of closed trades in the order of their exits; None where a number does not exist.

    A trade that breaks even counts, neither as won nor as lost, and ends a losing streak.
    payoff: mean profit of the winners over mean loss of the losers; expectancy: mean profit of all.
    """
    won, lost = profits[profits > 0.0], profits[profits < 0.0]
    gained, given = float(won.sum()), -float(lost.sum())
    count = profits.size
    return {
        "trades": count,
        "win_rate": won.size / count if count else None,
        "payoff": gained / won.size / (given / lost.size) if won.size and lost.size else None,
        "profit_factor": gained / given if lost.size else None,
        "expectancy": float(profits.mean()) if count else None,
        "best": float(profits.max()) if count else None,
        "worst": float(profits.min()) if count else None,
        "average_duration_s": float(durations_s.mean())
        if durations_s is not None and durations_s.size
        else None,
        "longest_losing_streak": _longest_run(profits < 0.0),
    }


def _longest_run(losing: np.ndarray[Any, np.dtype[np.bool_]]) -> int:
    others = np.flatnonzero(np.concatenate(([True], ~losing, [True])))
    return int(np.diff(others).max() - 1)
