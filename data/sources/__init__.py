"""Where bars come from.  Every source answers the same questions in the same frames."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Final, Protocol

import polars as pl

from data.errors import UsageError
from data.instruments import Instrument


class Source(Protocol):
    """A vendor, a file or a generator of market data."""

    @property
    def name(self) -> str:
        """What its datasets are called after: bars/{name}/{timeframe}."""
        ...

    def symbols(self) -> list[str]:
        """What is ingested when nobody names symbols."""
        ...

    def instrument(self, symbol: str) -> Instrument:
        """What the symbol stands for; an error that helps when the source does not know it."""
        ...

    def history(self, symbols: Sequence[str], start: datetime, end: datetime, timeframe: str) -> pl.DataFrame:
        """The bars that open in [start, end), in BAR_SCHEMA, as the source tells them: unchecked, unadjusted.

        Only what belongs to the sessions of each instrument's calendar: hours before and after are left out.
        """
        ...

    def actions(self, symbols: Sequence[str], first: date, last: date) -> pl.DataFrame:
        """Splits and dividends that take effect from `first` to `last`, in ACTION_SCHEMA."""
        ...


def _synthetic() -> Source:
    from data.sources.synthetic import SyntheticMarket

    return SyntheticMarket.from_settings()


def _alpaca() -> Source:
    from data.sources.alpaca import Alpaca

    return Alpaca.from_settings()


def _bybit() -> Source:
    from data.sources.bybit import Bybit

    return Bybit.from_settings()


SOURCES: Final[Mapping[str, Callable[[], Source]]] = {
    "synthetic": _synthetic,
    "alpaca": _alpaca,
    "bybit": _bybit,
}


def source(name: str) -> Source:
    """The source called `name`, configured from settings."""
    try:
        make = SOURCES[name]
    except KeyError:
        raise UsageError(
            f"there is no market data source {name!r}",
            f"Use one of: {', '.join(SOURCES)}; files come in with `./slipway data import`.",
        ) from None
    return make()
