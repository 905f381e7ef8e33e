"""What a book holds, as `decide` sees it.

Plain functions that numba compiles as they stand (compiled.py): the sweep and the
live engine fold the same code.
"""

from typing import NamedTuple


class Position(NamedTuple):
    """All floats, so that compiled code keeps it in registers."""

    size: float = 0.0
    """Shares held, negative when short."""
    average_entry: float = 0.0
    """Average price of what is held; zero when flat."""
    bars_held: float = 0.0
    """Closes seen since the entry filled, this one included."""
    open_profit: float = 0.0
    """Return on the average entry at this close: 0.02 is two percent up, for longs and shorts alike."""
    peak: float = 0.0
    """The best close since entry (highest when long, lowest when short); starts at the entry price."""


FLAT = Position()


def position_after_fill(position: Position, qty: float, price: float) -> Position:
    """Adding averages the entry, reducing keeps it, crossing zero starts a new position."""
    before = position.size
    after = before + qty
    if after == 0.0:
        return Position(0.0, 0.0, 0.0, 0.0, 0.0)
    if before == 0.0 or (before > 0.0) != (after > 0.0):
        return Position(after, price, 0.0, 0.0, price)
    entry = position.average_entry
    if abs(after) > abs(before):
        entry = (entry * before + price * qty) / after
    return Position(after, entry, position.bars_held, position.open_profit, position.peak)


def position_at_close(position: Position, close: float) -> Position:
    """The position as it stands at the close of a bar, before the decision."""
    if position.size == 0.0:
        return position
    if position.size > 0.0:
        profit = close / position.average_entry - 1.0
        peak = max(position.peak, close)
    else:
        profit = 1.0 - close / position.average_entry
        peak = min(position.peak, close)
    return Position(position.size, position.average_entry, position.bars_held + 1.0, profit, peak)
