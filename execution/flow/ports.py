"""What order flow asks of the world: a clock, a market, a ledger that remembers, a bus that hurries.

`Broker` is in execution.broker.  Whoever sleeps does it on the event loop, whose time the simulation makes up.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Protocol

from data.limits import Limits
from data.orders import OrderState
from execution.broker import BrokerFill, BrokerOrder
from execution.core.intents import Intent
from execution.core.invariants import Entered
from execution.core.risk import Conditions, Refusal
from execution.core.risk.day import Held

if TYPE_CHECKING:  # the type only: its module speaks to Postgres and Redis
    from data.control import Verb

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wait:
    """Not now: so many requests were sent that the next may go in so many seconds."""

    seconds: float


class Clock(Protocol):
    """Time, of which only the monotonic kind may decide anything: people and daemons set the other."""

    def monotonic(self) -> float: ...

    def now_us(self) -> int: ...


class Hints(Protocol):
    """Says that an intent is to be looked at now: lost, doubled or late.

    Raises data.bus.Lost while the bus is away.
    """

    async def send(self, coid: str) -> None: ...

    async def heard(self) -> list[str]:
        """The next few, waiting for the first; none if there was none for a while."""
        ...


class Wakes(Protocol):
    """Says that the control row is to be looked at now.  Raises data.bus.Lost while the bus is away."""

    async def woken(self) -> None: ...


class Surroundings(Protocol):
    """What the process knows of the market, the registry and the data, none of which it asks for here."""

    def now_us(self) -> int:
        """The market's clock: that of the wall, or the one that a replay moves."""
        ...

    def conditions(self, intent: Intent) -> Conditions: ...

    def prices(self) -> Mapping[str, float]:
        """The newest of every symbol."""
        ...

    def calendars(self) -> Collection[str]:
        """By which of them the account trades."""
        ...


class IntentRows(Protocol):
    """Intents on their way out."""

    async def write(
        self, intent: Intent, limits: Limits, conditions: Conditions, ttl_s: float
    ) -> Refusal | None: ...

    async def claim(self, coid: str) -> Row | Wait | None: ...

    async def claim_again(self, coid: str) -> Row | Wait | None: ...

    async def withdraw(self, coid: str, reason: str) -> Row | None: ...

    async def abandon(self, coid: str, reason: str) -> None: ...

    async def ack(self, coid: str, broker_id: str) -> None: ...

    async def reject(self, coid: str, reason: str) -> None: ...


class ReportRows(Protocol):
    """What the broker reported."""

    async def apply_order(self, order: BrokerOrder) -> Row | None: ...

    async def apply_fill(self, fill: BrokerFill, heard_by: str) -> Row | None: ...

    async def keep_raw(self, payload: str, problem: str) -> None: ...

    async def entered(self, coids: Collection[str]) -> dict[str, Entered]:
        """These orders, as far as they are ours, and all that are open."""
        ...

    async def unequal_positions(self) -> dict[str, tuple[float, float]]:
        """Symbols whose position is not what their fills add up to, with both; of one instant."""
        ...

    async def known_executions(self) -> set[str]: ...

    async def order_states(self) -> dict[str, OrderState]: ...


class StandingRows(Protocol):
    """Where the account stands."""

    async def orders(self, states: Collection[OrderState]) -> list[Row]: ...

    async def unfilled(self) -> list[Row]: ...

    async def of_occasion(self, occasion: str) -> set[str]: ...

    async def take_request(self) -> float: ...

    async def halt(self, symbol: str, reason: str) -> None: ...

    async def positions(self) -> dict[str, float]: ...

    async def control(self) -> Row: ...

    async def verified_flat(self, revision: int) -> None: ...

    async def cancelled(self, revision: int) -> None: ...

    async def command(self, verb: "Verb", actor: str, reason: str, cause: str) -> bool: ...

    async def limits(self, defaults: Limits) -> Limits: ...

    async def held(self) -> list[Held]: ...

    async def open_day(self, day: date, profit: float) -> float: ...


class OrderStore(Protocol):
    """One account's rows under one epoch.  Every write first proves that the epoch still holds."""

    @property
    def account(self) -> str: ...

    @property
    def intents(self) -> IntentRows: ...

    @property
    def reports(self) -> ReportRows: ...

    @property
    def standing(self) -> StandingRows: ...
