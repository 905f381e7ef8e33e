"""How a file writes numbers: decimal point or comma, with or without something between thousands."""

import re
from dataclasses import dataclass
from typing import Final

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from data.errors import UsageError

_THOUSANDS: Final = (",", ".", "'", "’", " ", "\u00a0", "\u202f", "_")
COUNT_MAX: Final = 2**53  # above, a float does not hold every whole number
NO_COUNT: Final = -1


@dataclass(frozen=True, slots=True)
class Numbers:
    """Reads numbers; nothing about them is guessed."""

    decimal: str = "."
    thousands: str | None = None

    def __post_init__(self) -> None:
        if self.decimal not in (".", ","):
            raise UsageError(f"{self.decimal!r} is no decimal sign", "Use --decimal . or --decimal ,")
        if self.thousands is not None and self.thousands not in _THOUSANDS:
            raise UsageError(
                f"{self.thousands!r} does not separate thousands", "Use one of , . ' _ or a blank."
            )
        if self.thousands == self.decimal:
            raise UsageError(
                f"{self.decimal!r} cannot be the decimal sign and separate thousands",
                "Give each its own sign.",
            )

    def read(self, texts: pl.Series) -> pl.Series:
        """Texts as numbers; null where there is nothing or no number."""
        plain = texts.to_frame("text").select(self._plain(pl.col("text")))["text"]
        try:
            numbers = pl.from_arrow(
                pc.cast(plain.to_arrow(compat_level=pl.CompatLevel.oldest()), pa.float64())
            )
        except pa.ArrowInvalid:
            return pl.Series(
                [None if text is None else self.number(text) for text in texts], dtype=pl.Float64
            )
        assert isinstance(numbers, pl.Series)
        return numbers

    def number(self, text: str) -> float | None:
        """One number; None when it is none.  Accepts what Arrow accepts, which reads whole columns."""
        text = text.strip()
        if self.thousands and re.fullmatch(self._grouped(), text):
            text = text.replace(self.thousands, "")
        if self.decimal == ",":
            text = "" if "." in text else text.replace(",", ".")
        if not text.isascii() or "_" in text:  # float() takes 1_000 and digits of all alphabets
            return None
        try:
            return float(text)
        except ValueError:
            return None

    def fault(self, text: str) -> str:
        """What is wrong with a text that is no number."""
        if not text.strip():
            return "is empty"
        if re.fullmatch(r"[+-]?\d[\d,.'’ \u00a0\u202f_]*", text.strip()):
            between = repr(self.thousands) if self.thousands else "nothing"
            return (
                f"is not a number with the decimal sign {self.decimal!r} and {between} between thousands "
                "(see --decimal and --thousands)"
            )
        return "is not a number"

    def _plain(self, text: pl.Expr) -> pl.Expr:
        text = text.str.strip_chars()
        if self.thousands:
            grouped = text.str.contains(f"^(?:{self._grouped()})$")
            text = (
                pl.when(grouped).then(text.str.replace_all(self.thousands, "", literal=True)).otherwise(text)
            )
        if self.decimal == ",":
            dotted = text.str.contains(".", literal=True)
            comma = text.str.replace_all(",", ".", literal=True)
            text = pl.when(dotted).then(pl.lit("?")).otherwise(comma)
        return pl.when(text != "").then(text).alias("text")

    def _grouped(self) -> str:
        assert self.thousands
        return rf"[+-]?\d{{1,3}}(?:{re.escape(self.thousands)}\d{{3}})+(?:{re.escape(self.decimal)}\d*)?"


def counts(numbers: pl.Series) -> pl.Series:
    """Numbers as whole numbers; -1 for what is no count.  NaN is how pandas says: not known."""
    number = pl.col("number").fill_nan(None)
    whole = number.is_between(0, COUNT_MAX) & (number == number.floor())
    count = pl.when(whole | number.is_null()).then(number).otherwise(NO_COUNT)
    return numbers.to_frame("number").select(count.cast(pl.Int64))["number"]
