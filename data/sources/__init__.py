"""Where bars come from.  Every source answers the same question in the same frame."""

from datetime import date
from typing import Protocol

import polars as pl

from data.calendars import Session
from data.errors import UsageError


class Source(Protocol):
    """A vendor, a file or a generator of bars."""

    @property
    def name(self) -> str: ...

    @property
    def calendar(self) -> str: ...

    def symbols(self) -> list[str]:
        """Every symbol this source knows."""
        ...

    def history(self, symbols: list[str], session: Session, timeframe: str) -> pl.DataFrame:
        """The bars of one session, in BAR_SCHEMA, as the source tells them: unchecked."""
        ...

    def listed_since(self, symbol: str) -> date:
        """The first session for which there can be bars."""
        ...


def source(name: str) -> Source:
    """The source called `name`, configured from settings."""
    if name == "synthetic":
        from data.sources.synthetic import SyntheticMarket

        return SyntheticMarket()
    raise UsageError(f"there is no market data source {name!r}", "Use: synthetic.")


def known_symbols(source: Source, symbols: list[str]) -> list[str]:
    """`symbols` in order and without repeats; an unknown one is an error that lists the known."""
    known = source.symbols()
    for symbol in symbols:
        if symbol not in known:
            raise UsageError(
                f"the source {source.name} has no symbol {symbol!r}", f"It knows: {', '.join(known)}."
            )
    return list(dict.fromkeys(symbols))
