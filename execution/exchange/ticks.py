"""What is known of a quote after a tick, and what a share is worth by it."""

import msgspec

from data.bar import Tick


def after(before: Tick | None, tick: Tick) -> Tick:
    """What a tick does not tell is as it was."""
    if before is None:
        return tick
    told = {name: value for name, value in msgspec.structs.asdict(tick).items() if value is not None}
    return msgspec.structs.replace(before, **told)


def mark(known: Tick) -> float | None:
    """The last trade, else the middle of the quote."""
    if known.last is not None:
        return known.last
    if known.bid is not None and known.ask is not None:
        return (known.bid + known.ask) / 2.0
    return known.bid if known.ask is None else known.ask
