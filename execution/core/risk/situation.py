"""What is known when an order is looked at: what the ledger holds, and what the market is like."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from data.limits import Limits
from execution.core.bucket import Bucket

if TYPE_CHECKING:  # the type only: its module speaks to Postgres and Redis, and this one to nobody
    from data.control import Mode

ACCOUNT: Final = "the account"


@dataclass(frozen=True, slots=True)
class Exposure:
    """What somebody holds and has in flight, as the worst case counts it."""

    position: float  # signed shares of the order's symbol
    open_buys: float  # shares of the symbol that open orders may still buy
    open_sells: float
    gross_elsewhere: float  # worst-case market value of every other symbol


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose limits: the account's, or one strategy's, each measured by what it holds itself."""

    who: str
    limits: Limits
    exposure: Exposure
    bucket: Bucket | None  # of orders that may still go; None: none has gone yet


@dataclass(frozen=True, slots=True)
class Situation:
    """The ledger's side, read inside the transaction that adds to it."""

    mode: "Mode"
    revision: int  # of the account's commands
    account: Scope
    strategy: Scope
    halted: str | None = None  # why nothing may be traded on the symbol
    alike_s: float | None = None  # how far away the same order of the same strategy was asked for

    @property
    def scopes(self) -> tuple[Scope, Scope]:
        return self.account, self.strategy


@dataclass(frozen=True, slots=True)
class Conditions:
    """The market's side, as the process that decides sees it.  A text is empty, or says why not."""

    now_us: int  # the market's clock, which a replay moves
    price: float | None  # the newest of the symbol
    data_age_s: float | None  # since its newest bar ended; None: there is none
    feed: str = ""
    closed: str = ""
    unpromoted: str = ""
    unhealthy: str = ""
    day_loss: float = 0.0
