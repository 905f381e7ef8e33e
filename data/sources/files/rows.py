"""From the columns of a file to bars, and which of its lines are none."""

from dataclasses import dataclass, field
from typing import Final, Literal

import polars as pl

from data.bar import BAR_SCHEMA
from data.instruments import SYMBOL
from data.sources.files.columns import OPTIONAL, Layout
from data.sources.files.numbers import NO_COUNT, Numbers, counts
from data.sources.files.times import Times

LISTED_MAX: Final = 100  # bad lines that are named; all are counted
_SHOWN_MAX: Final = 60  # characters of a wrong text in a message
_REQUIRED: Final = [name for name in BAR_SCHEMA if name not in ("vwap", "trade_count")]


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line, or a row of a parquet file, that is no bar; counted from 1, the header included."""

    file: str
    line: int
    what: str
    unit: Literal["line", "row"] = "line"

    def __str__(self) -> str:
        return f"{self.file}, {self.unit} {self.line}: {self.what}"


@dataclass(slots=True)
class BadLines:
    """How many there are, and the first of them."""

    count: int = 0
    listed: list[BadLine] = field(default_factory=list)

    @property
    def is_full(self) -> bool:
        return len(self.listed) >= LISTED_MAX

    def add(self, line: BadLine) -> None:
        self.count += 1
        if not self.is_full:
            self.listed.append(line)


@dataclass(frozen=True, slots=True)
class Reading:
    """How one file is read, once its columns and its way to write times are known."""

    file: str
    layout: Layout
    times: Times
    numbers: Numbers
    symbol: str | None  # of every row, when no column tells

    def bars(self, raw: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series]:
        """The rows of the file in BAR_SCHEMA, and which of them failed.

        `raw` has time, symbol and open … trade_count as far as the file has them, in the file's types.
        """
        told: dict[str, pl.Series] = {"ts_utc": self.times.read_typed(raw["time"])}
        if self.layout.symbol is not None:
            told["symbol"] = _symbols(raw["symbol"])
        failed = pl.repeat(False, raw.height, dtype=pl.Boolean, eager=True)
        for name in self.layout.numbers:
            numbers = raw[name]
            if numbers.dtype == pl.String:
                numbers = self.numbers.read(numbers)
                failed |= numbers.is_null() & (raw[name].str.strip_chars() != "").fill_null(False)
            if name == "trade_count":
                numbers = counts(numbers)
                failed |= (numbers == NO_COUNT).fill_null(False)
            told[name] = numbers
        absent = {"symbol": pl.lit(self.symbol)}
        bars = raw.select(
            (pl.lit(told[name]) if name in told else absent.get(name, pl.lit(None))).cast(dtype).alias(name)
            for name, dtype in BAR_SCHEMA.items()
        )
        for name in _REQUIRED:
            failed |= bars[name].is_null()
        return bars, failed

    def fault(self, raw: pl.DataFrame, at: int) -> str:
        """What is wrong with a row that failed: its first value that cannot be read."""
        row = raw.slice(at, 1)
        if self.times.read_typed(row["time"])[0] is None:
            text = _text(row["time"][0])
            return _say(self.layout.time_name, text, self.times.fault(text))
        if self.layout.symbol is not None and _symbols(row["symbol"])[0] is None:
            return _say(self.layout.names[self.layout.symbol], _text(row["symbol"][0]), "is not a symbol")
        for name, place in self.layout.numbers.items():
            text, label = _text(row[name][0]), self.layout.names[place]
            number = self.numbers.number(text) if row[name].dtype == pl.String else row[name][0]
            if number is None and (text.strip() or name not in OPTIONAL):
                return _say(label, text, self.numbers.fault(text))
            if (
                name == "trade_count"
                and number is not None
                and counts(pl.Series([float(number)]))[0] == NO_COUNT
            ):
                return _say(label, text, "is not a count")
        return "it cannot be read"


def symbol_of(text: str) -> str | None:
    """A symbol as files write it: all small letters stand for capitals, a mixture may be another symbol."""
    text = text.strip()
    symbol = text.upper() if text == text.lower() else text
    return symbol if SYMBOL.fullmatch(symbol) else None


def _symbols(texts: pl.Series) -> pl.Series:
    found = {text: symbol_of(text) for text in texts.unique() if text is not None}
    return texts.replace_strict(found, default=None, return_dtype=pl.String) if found else texts


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _say(column: str, text: str, what: str) -> str:
    if not text.strip():
        return f"the column {column!r} is empty"
    shown = text if len(text) <= _SHOWN_MAX else text[:_SHOWN_MAX] + "…"
    encoding = " (the file is not UTF-8 here)" if "\ufffd" in text else ""
    return f"{shown!r} in the column {column!r} {what}{encoding}"
