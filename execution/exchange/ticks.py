"""A tick as the exchange matches on it: a quote, a trade, or both, between two bars."""

import msgspec


class Tick(msgspec.Struct, frozen=True, array_like=True):
    """The columns of data/bar.py's ticks; None where the tick does not say."""

    symbol: str
    ts_us: int
    bid: float | None = None
    ask: float | None = None
    last: float | None = None
    bid_size: float | None = None
    ask_size: float | None = None
    last_size: float | None = None

    def over(self, before: "Tick | None") -> "Tick":
        """What is known after this tick: what it does not say is as it was."""
        if before is None:
            return self
        said = {name: value for name, value in msgspec.structs.asdict(self).items() if value is not None}
        return msgspec.structs.replace(before, **said)

    @property
    def mark(self) -> float | None:
        """What a share is worth now: its last trade, else the middle of the quote."""
        if self.last is not None:
            return self.last
        if self.bid is not None and self.ask is not None:
            return (self.bid + self.ask) / 2.0
        return self.bid if self.ask is None else self.ask
