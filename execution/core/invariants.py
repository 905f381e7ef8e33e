"""What must hold of a ledger and the broker's books, as far as the engine that trades can see it itself.

The numbers are those of docs/execution.md.  Both sides are read one after the other while orders are on their way, so
most of what differs is only late: a finding that stays is a violation, and `grace` says for how long it may.
"""

from collections.abc import Iterator, Mapping
from typing import Final, Literal, NamedTuple

from data.orders import OrderState
from execution.core.bucket import Bucket, Rate, take

Grace = Literal["none", "late", "unknown"]
"""none: it never holds, not even for a moment; late: as an answer may be late; unknown: as an order may be unknown"""

NEGATIVE: Final = (OrderState.REJECTED, OrderState.ABANDONED)
KNOWN_AND_OPEN: Final = (OrderState.ACKED, OrderState.PARTIAL)


class Entered(NamedTuple):
    """An order as the ledger has it."""

    state: OrderState
    qty: float
    filled_qty: float
    attempts: int
    reason: str


class Shown(NamedTuple):
    """The same order as the broker shows it; no state where its status is one that we do not know."""

    state: OrderState | None
    qty: float | None  # none of one that spends an amount of money
    filled_qty: float


class Finding(NamedTuple):
    """What does not hold, and of what."""

    invariant: str
    subject: str  # a coid, a symbol; with the invariant it names the finding
    told: str
    grace: Grace


def findings(
    entered: Mapping[str, Entered],
    shown: Mapping[str, Shown],
    unequal: Mapping[str, tuple[float, float]],
    filled_before: Mapping[str, float],
) -> Iterator[Finding]:
    """All that does not hold now.

    `entered` are the orders that are open here and those that the broker lists; `unequal` the symbols whose position
    is not the sum of its fills, with both; `filled_before` is what was filled when we looked last.
    """
    for symbol, (position, fills) in unequal.items():
        yield Finding("I4", symbol, f"the position is {position:g}, its fills add up to {fills:g}", "none")
    for coid, ours in entered.items():
        theirs = shown.get(coid)
        yield from _alone(coid, ours, filled_before.get(coid, 0.0))
        if theirs is None:
            if ours.state in KNOWN_AND_OPEN:
                yield Finding("I2", coid, f"it is {ours.state} here, and the broker does not list it", "late")
            continue
        if theirs.qty is not None and theirs.filled_qty > theirs.qty:
            yield Finding("I8", coid, f"the broker filled {theirs.filled_qty:g} of {theirs.qty:g}", "none")
        if theirs.filled_qty != ours.filled_qty:
            told = f"its fills here are {ours.filled_qty:g}, the broker's {theirs.filled_qty:g}"
            yield Finding("I3", coid, told, "late")
        if ours.state in NEGATIVE and theirs.state not in (None, OrderState.REJECTED):
            yield Finding("I7", coid, f"it is {ours.state} here, and {theirs.state} at the broker", "late")


def _alone(coid: str, ours: Entered, filled_before: float) -> Iterator[Finding]:
    if not 0.0 <= ours.filled_qty <= ours.qty:
        yield Finding("I8", coid, f"{ours.filled_qty:g} of {ours.qty:g} is filled", "none")
    if ours.filled_qty < filled_before:
        told = f"{ours.filled_qty:g} is filled, and it was {filled_before:g} before"
        yield Finding("I8", coid, told, "none")
    if ours.state is OrderState.ABANDONED and not ours.reason:
        yield Finding("I2", coid, "it is abandoned without a reason", "late")
    if ours.state is OrderState.SENDING:
        told = f"nobody knows what became of attempt {ours.attempts}"
        yield Finding("I13", f"{coid} attempt {ours.attempts}", told, "unknown")


class RateWitness:
    """Counts the requests that one process was granted (I10), on a clock that nobody sets.

    The bucket in the ledger goes by the database's clock and may be seen late here, so twice its size may come at once.
    What comes above that in the long run was granted by nobody.
    """

    def __init__(self, rate: Rate) -> None:
        self._rate = Rate(rate.per_second, 2.0 * rate.size, 0.0)
        self._bucket: Bucket | None = None

    def granted(self, now_s: float) -> bool:
        """Whether one more at this moment is within the rate."""
        if self._rate.per_second <= 0.0:
            return True
        self._bucket, wait_s = take(self._bucket or Bucket(self._rate.size, now_s), now_s, self._rate, 0.0)
        return wait_s == 0.0

    def forget(self) -> None:
        """The wall's clock was set, which fills the ledger's bucket once."""
        self._bucket = None
