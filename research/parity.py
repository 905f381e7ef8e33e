"""Did execution do what research computed?  Orders compared one by one, every difference named by its cause."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    from rich.console import RenderableType

_KEY: Final = ["symbol", "bar_ts_utc"]

# The first that applies names the difference.
_CAUSES: Final = {
    "side": ["side"],
    "quantity": ["qty"],
    "timing": ["fill_ts_utc"],
    "price": ["fill_price"],
    "commission": ["commission"],
}

DIFFERENCE_SCHEMA: Final = pl.Schema(
    {
        "symbol": pl.String(),
        "bar_ts_utc": pl.Datetime("us", "UTC"),
        "cause": pl.String(),
        "research": pl.String(),
        "execution": pl.String(),
    }
)
"""cause: missing, extra, side, quantity, timing, price or commission; the last two say what each side had."""


@dataclass(frozen=True, slots=True)
class Parity:
    """The comparison of two runs over the same bars."""

    research_orders: int
    execution_orders: int
    matched: int
    """equal in side, quantity, fill time, price and commission"""
    differences: pl.DataFrame
    """DIFFERENCE_SCHEMA, by symbol, then time"""

    @property
    def holds(self) -> bool:
        """No difference.  Two runs without any order prove nothing, so for them it does not hold."""
        return self.differences.is_empty() and self.research_orders > 0

    def __str__(self) -> str:
        return (
            f"{self.matched} of {self.research_orders} research orders matched, "
            f"{self.execution_orders} execution orders, {self.differences.height} differences"
        )

    def __rich__(self) -> "RenderableType":
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        if not self.research_orders and not self.execution_orders:
            return Text("Parity proves nothing: neither side has an order.", style="yellow")
        line = Text(
            f"Parity {'holds' if self.holds else 'is broken'}: {self}.",
            style="green" if self.holds else "red",
        )
        if self.holds:
            return line
        table = Table(box=None, pad_edge=False, header_style="bold")
        for name in DIFFERENCE_SCHEMA:
            table.add_column(name.replace("_", " "))
        shown = 20
        for symbol, at, *told in self.differences.head(shown).iter_rows():
            table.add_row(symbol, f"{at:%Y-%m-%d %H:%M}", *(each or "–" for each in told))
        rest = self.differences.height - shown
        return Group(line, table, Text(f"and {rest} more", style="dim")) if rest > 0 else Group(line, table)


def compare_orders(research: pl.DataFrame, execution: pl.DataFrame) -> Parity:
    """Both frames are data.orders.ORDER_SCHEMA.  Prices and quantities must be equal to the last bit."""
    ours, theirs = _numbered(research), _numbered(execution)
    key = [*_KEY, "number"]
    both = ours.join(theirs, on=key, how="inner", suffix="_execution")
    different = both.with_columns(_cause().alias("cause")).filter(pl.col("cause").is_not_null())
    missing, extra = ours.join(theirs, on=key, how="anti"), theirs.join(ours, on=key, how="anti")
    # The same order decided on another bar is late or early, not one missing and one too many.
    shift = ["symbol", "side", "qty", "turn"]
    late = _turned(missing).join(_turned(extra), on=shift, how="inner", suffix="_execution")
    missing = _turned(missing).join(late, on=shift, how="anti")
    extra = _turned(extra).join(late, on=shift, how="anti")
    differences = pl.concat(
        [
            _difference(different, pl.col("cause"), _said(), _said("_execution")),
            _difference(late, pl.lit("timing"), _said(), _said("_execution", decided=True)),
            _difference(missing, pl.lit("missing"), _said(), pl.lit(None)),
            _difference(extra, pl.lit("extra"), pl.lit(None), _said()),
        ]
    ).sort("symbol", "bar_ts_utc")
    return Parity(research.height, execution.height, both.height - different.height, differences)


def _numbered(orders: pl.DataFrame) -> pl.DataFrame:
    # A bar decides at most once per symbol; should one side have two, the second is compared with nothing.
    return orders.sort(_KEY).with_columns(number=pl.int_range(pl.len()).over(_KEY))


def _turned(orders: pl.DataFrame) -> pl.DataFrame:
    return orders.with_columns(turn=pl.int_range(pl.len()).over("symbol", "side", "qty"))


def _cause() -> pl.Expr:
    cause = pl.lit(None, dtype=pl.String)
    for name, columns in reversed(_CAUSES.items()):
        differs = pl.any_horizontal(pl.col(each).ne_missing(pl.col(f"{each}_execution")) for each in columns)
        cause = pl.when(differs).then(pl.lit(name)).otherwise(cause)
    return cause


def _said(suffix: str = "", *, decided: bool = False) -> pl.Expr:
    said = pl.format(
        "{} {} at {} on {}, commission {}",
        pl.col("side" if decided else f"side{suffix}"),
        pl.col("qty" if decided else f"qty{suffix}"),
        pl.col(f"fill_price{suffix}").cast(pl.String).fill_null("no fill"),
        pl.col(f"fill_ts_utc{suffix}").dt.to_string("%Y-%m-%d %H:%M").fill_null("no bar"),
        pl.col(f"commission{suffix}").cast(pl.String).fill_null("none"),
    )
    when = pl.col(f"bar_ts_utc{suffix}").dt.to_string("%Y-%m-%d %H:%M")
    return pl.format("{}, decided on {}", said, when) if decided else said


def _difference(rows: pl.DataFrame, cause: pl.Expr, research: pl.Expr, execution: pl.Expr) -> pl.DataFrame:
    return rows.select(
        "symbol", "bar_ts_utc", cause=cause, research=research, execution=execution
    ).cast(DIFFERENCE_SCHEMA)  # fmt: skip
