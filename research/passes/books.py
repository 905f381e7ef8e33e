"""Bars made ready for passes: one book per symbol, its prices cut into tiles, equal features computed once."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Final, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data.errors import UsageError
from data.instruments import usual_calendar
from execution.strategy import CostModel
from execution.strategy.arrays import COLUMNS, BarArrays, FloatArray
from execution.strategy.features import Feature, lay_down
from execution.strategy.rule import Rule
from research.passes.account import Rates, Tape
from research.passes.kernel import TILE
from research.passes.prices import refuse_no_prices
from research.passes.room import room

Fill = Literal["next_open", "close"]
"""When an order decided on a close fills: at the next open, as it trades, or at that very close, for studies only."""

BLOCKS: Final = 16
"""Stretches of equal length for which the sums of returns are kept: what cross-validation by blocks combines."""

LEVERAGE: Final = 2.0
"""What an account allows overnight where nothing else is said: twice its equity (Regulation T)."""

_DAY_US: Final = 86_400_000_000
_NEVER: Final = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Terms:
    """Under which a book trades."""

    capital: float
    costs: CostModel
    lot: float = 1.0
    leverage: float = LEVERAGE
    fill: Fill = "next_open"
    delay_bars: int = 0
    """how many bars late every decision is, a stress"""

    def __post_init__(self) -> None:
        for name, value in (("capital", self.capital), ("lot", self.lot), ("leverage", self.leverage)):
            if not 0.0 < value < float("inf"):
                raise UsageError(f"the {name} is {value}", "Give a number above zero.")
        if self.fill not in ("next_open", "close"):
            raise UsageError(f"there is no fill {self.fill!r}", "Use next_open or close.")
        if self.delay_bars < 0:
            raise UsageError(f"the delay is {self.delay_bars} bars", "Give zero or more.")

    @property
    def rates(self) -> Rates:
        """As compiled code reads them."""
        return Rates(lot=self.lot, leverage=self.leverage, **dict(self.costs.items()))


@dataclass(frozen=True, slots=True)
class Book:
    """One symbol's bars; those before `start` only warm up features."""

    symbol: str
    bars: BarArrays
    """what features read: splits inside the range are taken out"""
    open: FloatArray
    close: FloatArray
    ts_us: NDArray[np.int64]
    start: int
    ratio: FloatArray
    """new shares for an old one at each bar's open, 1 nearly always"""
    dividend: FloatArray
    """cash for one share at each bar's open"""
    acts: NDArray[np.int64]
    """the bars with one of these"""

    def opens(self, fill: Fill) -> FloatArray:
        """The prices at which orders fill; at the close they were decided on is at an open that equals it."""
        return self.open if fill == "next_open" else np.concatenate((self.open[:1], self.close[:-1]))

    def tape(self, terms: Terms, blocks: int = BLOCKS) -> Tape:
        """The prices in tiles, under these terms."""
        bounds = block_bounds(len(self.ts_us) - self.start, blocks) + self.start
        nights = nights_between(self.ts_us, terms.costs)
        happens = self.acts
        if charges_nights(terms.costs):
            nights[: self.start + 1] = 0.0
            happens = np.concatenate((happens, np.flatnonzero(nights)))
        begins = np.union1d(bounds[:-1], happens[happens >= self.start])
        first = np.concatenate(
            [
                np.arange(begin, end, TILE)
                for begin, end in zip(begins, [*begins[1:], len(self.ts_us)], strict=True)
            ]
        ).astype(np.int64)
        return Tape(
            open=self.opens(terms.fill),
            close=self.close,
            first=first,
            last=np.append(first[1:], len(self.ts_us)),
            block=np.searchsorted(bounds, first, side="right") - 1,
            nights=nights[first],
            ratio=self.ratio[first],
            dividend=self.dividend[first],
        )


def charges_nights(costs: CostModel) -> bool:
    """Whether it costs something to hold overnight."""
    return costs.borrow_bps > 0.0 or costs.interest_bps > 0.0


def nights_between(ts_us: NDArray[np.int64], costs: CostModel) -> FloatArray:
    """The nights before each bar, for which something is charged."""
    if not charges_nights(costs):
        return np.broadcast_to(0.0, len(ts_us))
    nights = np.zeros(len(ts_us))
    nights[1:] = np.diff(ts_us // _DAY_US)
    return nights


def block_bounds(bars: int, blocks: int) -> NDArray[np.int64]:
    """Where stretches of equal length begin, and where the last one ends; never an empty one."""
    count = max(1, min(blocks, bars))
    return np.arange(count + 1, dtype=np.int64) * bars // count


def books_of(
    bars: pl.DataFrame,
    trade_from: date | datetime | None = None,
    actions: pl.DataFrame | None = None,
) -> list[Book]:
    """The books in a frame of bars, in the order of their symbols.

    `actions` (data.instruments.ACTION_SCHEMA) are the splits and dividends inside it, when the prices are raw.
    """
    check_bars(bars)
    since_us = instant_us(trade_from)
    return [_book(symbol, each, since_us, trade_from, actions) for symbol, each in _by_symbol(bars)]


def check_bars(bars: pl.DataFrame) -> None:
    """Refuse a frame that cannot be traded on."""
    if not isinstance(bars, pl.DataFrame):
        raise UsageError(
            f"the bars are a {type(bars).__name__}, not a polars frame",
            "Pass a frame from data.bars(…), or pl.from_pandas(frame).",
        )
    missing = [name for name in ("symbol", "ts_utc", *COLUMNS) if name not in bars.columns]
    if missing:
        raise UsageError(f"the bars have no column {missing[0]!r}", "Pass a frame from data.bars(…).")
    if bars.is_empty():
        raise UsageError("there are no bars to trade on", "Ask for a range in which the market was open.")
    if any(bars[name].null_count() for name in COLUMNS):
        raise UsageError(
            "the bars have empty prices or volumes", "Drop or repair them first: bars.drop_nulls()."
        )
    if not isinstance(bars.schema["ts_utc"], pl.Datetime):
        raise UsageError(
            f"the bars' ts_utc is {bars.schema['ts_utc']}, not a point in time",
            "Convert it: bars.with_columns(pl.col('ts_utc').str.to_datetime(time_zone='UTC')).",
        )


def _by_symbol(bars: pl.DataFrame) -> Iterator[tuple[str, BarArrays]]:
    """Each symbol's bars in order of time; what is in order already is not copied."""
    names = bars["symbol"]
    first = names[0]
    # In order, the ends tell; to compare every name with the first takes longer than to decide on every bar.
    if names[-1] == first and (names.flags["SORTED_ASC"] or bool((names == first).all())):
        arrays = _arrays(first, bars)
        if _is_in_order(arrays.ts_us):
            yield first, arrays
            return
    for (symbol,), frame in bars.sort("symbol", "ts_utc").group_by("symbol", maintain_order=True):
        arrays = _arrays(str(symbol), frame)
        if not _is_in_order(arrays.ts_us):
            raise UsageError(
                f"{symbol} has two bars with one timestamp", "Remove duplicates: bars.unique(…)."
            )
        yield str(symbol), arrays


def _arrays(symbol: str, frame: pl.DataFrame) -> BarArrays:
    return BarArrays.of(frame[["ts_utc", *COLUMNS]], usual_calendar(symbol))


def _is_in_order(ts_us: NDArray[np.int64]) -> bool:
    return not (ts_us[1:] <= ts_us[:-1]).any()


def _book(
    symbol: str,
    raw: BarArrays,
    since_us: int | None,
    trade_from: date | datetime | None,
    actions: pl.DataFrame | None,
) -> Book:
    ts_us = raw.ts_us
    start = 0 if since_us is None else int(np.searchsorted(ts_us, since_us))
    if start == len(ts_us):
        raise UsageError(f"{symbol} has no bars from {trade_from} on", "Start trading earlier.")
    refuse_no_prices(symbol, raw)
    if actions is None:
        ones, zeros = np.broadcast_to(1.0, len(ts_us)), np.broadcast_to(0.0, len(ts_us))
        return Book(symbol, raw, raw.open, raw.close, ts_us, start, ones, zeros, _NEVER)
    ratio, dividend = _events(symbol, ts_us, actions)
    acts = np.flatnonzero((ratio != 1.0) | (dividend != 0.0))
    return Book(symbol, _without_splits(raw, ratio), raw.open, raw.close, ts_us, start, ratio, dividend, acts)


def _events(symbol: str, ts_us: NDArray[np.int64], actions: pl.DataFrame) -> tuple[FloatArray, FloatArray]:
    ratio, dividend = np.ones(len(ts_us)), np.zeros(len(ts_us))
    for row in actions.filter(pl.col("symbol") == symbol).iter_rows(named=True):
        midnight_us = int(datetime.combine(row["session"], time(), UTC).timestamp()) * 1_000_000
        bar = int(np.searchsorted(ts_us, midnight_us))
        if 0 < bar < len(ts_us):  # before the first bar nothing is held
            if row["kind"] == "split":
                ratio[bar] *= row["ratio"]
            else:
                dividend[bar] += row["amount"]
    return ratio, dividend


def _without_splits(bars: BarArrays, ratio: FloatArray) -> BarArrays:
    """Prices before each split as if it had been so from the start: an average knows nothing of splits."""
    if not (ratio != 1.0).any():
        return bars
    later = np.concatenate((np.cumprod(ratio[::-1])[::-1][1:], [1.0]))
    prices = (bars.open / later, bars.high / later, bars.low / later, bars.close / later)
    return BarArrays(*prices, bars.volume * later, bars.ts_us, bars.calendar)


def feature_table(book: Book, rows: Mapping[Feature, int], delay_bars: int = 0) -> FloatArray:
    """Distinct features × bars, each in the row that `rows_of` gave it."""
    table = room(len(rows), len(book.ts_us))
    lay_down(rows, book.bars, table)
    if delay_bars:
        late = np.full_like(table, np.nan)
        late[:, delay_bars:] = table[:, :-delay_bars]
        table = late
    return table


def rows_of(strategies: Sequence[Rule]) -> tuple[dict[Feature, int], NDArray[np.int64]]:
    """(the row of each distinct feature, strategies × features as such rows)."""
    rows: dict[Feature, int] = {}
    known: dict[
        int, int
    ] = {}  # by identity: a sweep's sets share their features, and a feature's hash is dear
    sets = []
    for strategy in strategies:
        of_it = []
        for spec in strategy.feature_specs().values():
            row = known.get(id(spec))
            if row is None:
                row = known[id(spec)] = rows.setdefault(spec, len(rows))
            of_it.append(row)
        sets.append(of_it)
    return rows, np.array(sets, dtype=np.int64)


def instant_us(instant: date | datetime | None) -> int | None:
    """Microseconds UTC; a date begins at its midnight."""
    if instant is None:
        return None
    if not isinstance(instant, datetime):
        instant = datetime.combine(instant, time(), UTC)
    if instant.tzinfo is None:
        raise UsageError(
            f"trade_from is {instant}, without a time zone", "Give a date, or an aware datetime."
        )
    return round(instant.timestamp() * 1e6)
