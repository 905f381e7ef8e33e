"""What the engine wants sent, and the names that make sending it twice impossible."""

import base64
import hashlib
from typing import Final

import msgspec

from data.orders import Side
from execution.core.terms import MARKET_DAY, OrderTerms

COID_LENGTH: Final = 32  # of 52 base32 digits: 160 bits, and well below the broker's limit of 128 characters


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """One order as decided.  Equal decisions have equal `coid`s, after any crash."""

    coid: str
    account: str
    artifact_hash: str | None
    strategy: str
    symbol: str
    side: Side
    qty: float
    target: float | None
    bar_ts_us: int
    reference_price: float
    decided_at_us: int
    occasion: str = ""  # an operator's command; a strategy has none and decides once a bar
    terms: OrderTerms = MARKET_DAY

    def __post_init__(self) -> None:
        self.terms.check(self.symbol, self.side, self.qty)

    @property
    def signed_qty(self) -> float:
        return self.qty if self.side == "buy" else -self.qty

    @property
    def body_hash(self) -> str:
        """What the order asks for.  The same coid with another body means that two of us disagree: halt."""
        body = f"{self.symbol}|{self.side}|{self.qty!r}|{self.terms.told}"
        return hashlib.sha256(body.encode()).hexdigest()

    @property
    def decision_key(self) -> str:
        if self.occasion:
            return f"{self.account}|{self.occasion}|{self.coid}"
        return f"{self.account}|{self.artifact_hash or '-'}|{self.strategy}|{self.symbol}|{self.bar_ts_us}"


def client_order_id(
    account: str, artifact: str, strategy: str, symbol: str, bar_ts_us: int, leg: int = 0, revision: int = 0
) -> str:
    """No clock and no random: what was decided is all that names it."""
    told = f"{account}|{artifact}|{strategy}|{symbol}|{bar_ts_us}|{leg}|{revision}"
    digest = hashlib.sha256(told.encode()).digest()
    return base64.b32encode(digest).decode()[:COID_LENGTH].lower()
