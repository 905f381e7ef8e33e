"""How the account stands, counted in the ledger itself: right after a restart, too."""

from dataclasses import dataclass, field

from data.limits import Limits
from execution.store import Row


@dataclass(frozen=True, slots=True)
class Census:
    """One look."""

    open: int = 0
    intents: int = 0
    unknown: int = 0
    oldest_unknown_s: float = 0.0
    halted: int = 0
    use: dict[str, float] = field(default_factory=dict)
    """of each limit, how much is used"""


def census_of(row: Row, limits: Limits) -> Census:
    return Census(
        open=row["open"],
        intents=row["intents"],
        unknown=row["unknown"],
        oldest_unknown_s=float(row["oldest_unknown_s"] or 0.0),
        halted=row["halted"],
        use={
            "gross exposure": _share(float(row["gross"]), limits.gross_exposure_max),
            "position notional": _share(float(row["largest"]), limits.position_notional_max),
        },
    )


def _share(used: float, limit: float | None) -> float:
    """Where there is no limit, none of it is used; of a limit of nothing, nothing or everything."""
    if limit is None:
        return 0.0
    return used / limit if limit else float(used > 0.0)
