"""Which column of a file is the time, which the close: named by the person, or found by well-known names."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Final

from data.errors import UsageError

# What vendors and libraries call them, without case, blanks and signs: "Open time" and <OPEN_TIME> are opentime.
_KNOWN: Final[Mapping[str, frozenset[str]]] = {
    "time": frozenset({"tsutc", "ts", "timestamp", "time", "date", "datetime", "opentime", "t"}),
    "open": frozenset({"open", "openprice", "o"}),
    "high": frozenset({"high", "highprice", "h"}),
    "low": frozenset({"low", "lowprice", "l"}),
    "close": frozenset({"close", "closeprice", "last", "c"}),
    "volume": frozenset({"volume", "vol", "v"}),
    "vwap": frozenset({"vwap", "vw"}),
    "trade_count": frozenset({"tradecount", "trades", "numberoftrades", "numtrades", "count", "n"}),
    "symbol": frozenset({"symbol", "ticker"}),
}
NUMBERS: Final = ("open", "high", "low", "close", "volume", "vwap", "trade_count")
OPTIONAL: Final = frozenset({"vwap", "trade_count", "symbol"})
_JOINED: Final = "+"  # time=Date+Time


@dataclass(frozen=True, slots=True)
class Columns:
    """What the file calls each column of a bar.  None: found by its name.  An empty name: the file has none.

    `time` may join two columns, as in "Date+Time".
    """

    time: str | None = None
    open: str | None = None
    high: str | None = None
    low: str | None = None
    close: str | None = None
    volume: str | None = None
    vwap: str | None = None
    trade_count: str | None = None
    symbol: str | None = None

    @classmethod
    def of(cls, pairs: Iterable[str]) -> "Columns":
        """From what stands behind `--column`: close=Adj Close, one pair for one column."""
        known = [field.name for field in fields(cls)]
        named = cls()
        for pair in pairs:
            ours, equals, theirs = pair.partition("=")
            if not equals or ours.strip() not in known:
                raise UsageError(
                    f"--column {pair!r} does not say which column is which",
                    f'Write for example --column close="Adj Close"; ours are {", ".join(known)}.',
                )
            named = replace(named, **{ours.strip(): theirs.strip()})
        return named

    def find(self, names: Sequence[str], file: str) -> "Layout":
        """The places of the columns in a file with these names."""
        search = _Search(names, file)
        said = {field.name: getattr(self, field.name) for field in fields(self)}
        places = {ours: search.named(ours, theirs) for ours, theirs in said.items() if theirs is not None}
        taken = {place for found in places.values() for place in found}
        for ours in said:
            if ours not in places:
                places[ours] = search.known(ours, taken)
        symbol = places["symbol"]
        return Layout(
            names=tuple(names),
            time=places["time"],
            numbers={ours: places[ours][0] for ours in NUMBERS if places[ours]},
            symbol=symbol[0] if symbol else None,
        )


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a file has what: places in its list of columns."""

    names: tuple[str, ...]
    time: tuple[int, ...]
    numbers: Mapping[str, int]
    symbol: int | None

    @property
    def time_name(self) -> str:
        return _JOINED.join(self.names[place] for place in self.time)


@dataclass(frozen=True, slots=True)
class _Search:
    names: Sequence[str]
    file: str

    def named(self, ours: str, theirs: str) -> tuple[int, ...]:
        """The places of a column the person named."""
        if not theirs:
            if ours not in OPTIONAL:
                raise UsageError(f"a bar needs its {ours}", f'Name a column: --column {ours}="…".')
            return ()
        whole = self._called(theirs)
        parts = [theirs]
        if not whole and ours == "time" and _JOINED in theirs:
            parts = theirs.split(_JOINED)
        places: list[int] = []
        for part in parts:
            found = self._called(part.strip())
            if len(found) != 1:
                many = f"{len(found)} columns" if found else "no column"
                raise UsageError(
                    f"{self.file} has {many} called {part!r}: {self._columns()}", self._fix(ours)
                )
            places += found
        return tuple(places)

    def known(self, ours: str, taken: set[int]) -> tuple[int, ...]:
        """The one column that has a well-known name."""
        found = [
            place
            for place, name in enumerate(self.names)
            if place not in taken and re.sub(r"[^a-z0-9]", "", name.lower()) in _KNOWN[ours]
        ]
        if len(found) > 1:
            candidates = " and ".join(repr(self.names[place]) for place in found)
            fix = self._fix(ours)
            if ours == "time" and len(found) == 2:
                both = _JOINED.join(self.names[place] for place in found)
                fix = f'Say which, or join them: --column time="{both}".'
            raise UsageError(f"{candidates} of {self.file} could each be the {ours}", fix)
        if not found and ours not in OPTIONAL:
            raise UsageError(f"{self.file} has no column for the {ours}: {self._columns()}", self._fix(ours))
        return tuple(found)

    def _called(self, name: str) -> list[int]:
        exact = [place for place, theirs in enumerate(self.names) if theirs == name]
        return exact or [
            place for place, theirs in enumerate(self.names) if theirs.casefold() == name.casefold()
        ]

    def _columns(self) -> str:
        shown = ", ".join(repr(name[:40]) for name in self.names[:30])
        more = f" and {len(self.names) - 30} more" if len(self.names) > 30 else ""
        return f"its columns are {shown}{more}"

    def _fix(self, ours: str) -> str:
        example = "Adj Close" if ours == "close" else "…"
        return f'Say which it is: --column {ours}="{example}"; a file without a header line needs --header.'
