"""Splits and dividends: kept as they were told, and what they do to prices before them."""

from collections.abc import Sequence
from datetime import date
from typing import Any, Final, Literal, get_args

import polars as pl
from psycopg import Connection
from psycopg.rows import DictRow

from data.errors import UsageError
from data.instruments import ACTION_SCHEMA

Adjustment = Literal["raw", "splits", "all"]
ADJUSTMENTS: Final = get_args(Adjustment)

_PRICES: Final = ("open", "high", "low", "close", "vwap")


def news(connection: Connection[DictRow], source: str, told: pl.DataFrame) -> pl.DataFrame:
    """Those actions that are not on record yet, or are there with other numbers."""
    on_record = known(connection, source, told["symbol"].unique().to_list())
    return told.join(on_record, on=ACTION_SCHEMA.names(), how="anti", nulls_equal=True)


def record(connection: Connection[DictRow], source: str, told: pl.DataFrame, snapshot: int) -> None:
    """Enter actions under a snapshot; one that corrects another supersedes it."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "update corporate_actions set until = %s where source = %s and symbol = %s and session = %s "
            "and kind = %s and until is null",
            [(snapshot, source, *row) for row in told.select("symbol", "session", "kind").iter_rows()],
        )
        cursor.executemany(
            "insert into corporate_actions (source, symbol, session, kind, ratio, amount, since) "
            "values (%s, %s, %s, %s, %s, %s, %s)",
            [(source, *row, snapshot) for row in told.select(ACTION_SCHEMA.names()).iter_rows()],
        )


def known(
    connection: Connection[DictRow], source: str, symbols: Sequence[str], as_of: int | None = None
) -> pl.DataFrame:
    """What is on record, in ACTION_SCHEMA, by symbol and session."""
    rows = connection.execute(
        """
        select symbol, session, kind, ratio, amount from corporate_actions
        where source = %(source)s and symbol = any (%(symbols)s)
          and case when %(as_of)s::bigint is null then until is null
                   else since <= %(as_of)s and (until is null or until > %(as_of)s) end
        order by symbol, session, kind
        """,
        {"source": source, "symbols": list(symbols), "as_of": as_of},
    ).fetchall()
    return pl.DataFrame(rows, schema=ACTION_SCHEMA)


def adjust(bars: pl.LazyFrame, told: pl.DataFrame, sessions: pl.DataFrame, how: Adjustment) -> pl.LazyFrame:
    """Prices before each split, and each dividend under `all`, as if it had been so from the start.

    `sessions` has, for each symbol and session of an action, `open_utc` and `close_before`, the last close
    before it: a dividend takes amount / close_before off what was paid earlier.
    """
    factors = _factors(told, sessions, how)
    if factors.is_empty():
        return bars
    # For every bar, the product of the factors of all actions that took effect after it.
    after = (
        factors.sort("symbol", "open_utc", descending=[False, True])
        .with_columns(
            pl.col("price").cum_prod().over("symbol").alias("price"),
            pl.col("shares").cum_prod().over("symbol").alias("shares"),
        )
        .group_by("symbol", "open_utc")
        .agg(pl.col("price").last(), pl.col("shares").last())
        .sort("open_utc")
    )
    joined = bars.sort("ts_utc").join_asof(
        after.lazy(),
        left_on="ts_utc",
        right_on="open_utc",
        by="symbol",
        strategy="forward",
        allow_exact_matches=False,  # the bar at that open already has the new price
        check_sortedness=False,  # both are sorted just above; with `by` polars cannot look, and warns
    )
    price, shares = pl.col("price").fill_null(1.0), pl.col("shares").fill_null(1.0)
    return (
        joined.with_columns(
            *(pl.col(name) * price for name in _PRICES), (pl.col("volume") * shares).alias("volume")
        )
        .drop("price", "shares", "open_utc")
        .sort("symbol", "ts_utc")
    )


def check_adjustment(how: str) -> None:
    if how not in ADJUSTMENTS:
        raise UsageError(f"there is no adjustment {how!r}", f"Use one of: {', '.join(ADJUSTMENTS)}.")


def wanted(told: pl.DataFrame, how: Adjustment) -> pl.DataFrame:
    """The actions that an adjustment takes into account."""
    kinds = {"raw": [], "splits": ["split"], "all": ["split", "dividend"]}[how]
    return told.filter(pl.col("kind").is_in(kinds))


def _factors(told: pl.DataFrame, sessions: pl.DataFrame, how: Adjustment) -> pl.DataFrame:
    is_split = pl.col("kind") == "split"
    return (
        wanted(told, how)
        .join(sessions, on=["symbol", "session"])
        .select(
            "symbol",
            "open_utc",
            pl.when(is_split)
            .then(1 / pl.col("ratio"))
            .otherwise(1 - pl.col("amount") / pl.col("close_before"))
            .fill_null(
                1.0
            )  # a dividend before the first close that is known changes nothing that can be seen
            .alias("price"),
            pl.when(is_split).then(pl.col("ratio")).otherwise(1.0).alias("shares"),
        )
    )


def dated(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """What `adjust` needs to know of the sessions on which something took effect."""
    return pl.DataFrame(
        rows,
        schema={
            "symbol": pl.String(),
            "session": pl.Date(),
            "open_utc": pl.Datetime("us", "UTC"),
            "close_before": pl.Float64(),
        },
    )


def splits_of(told: pl.DataFrame, symbol: str) -> list[date]:
    """The sessions on which a symbol split."""
    return told.filter((pl.col("symbol") == symbol) & (pl.col("kind") == "split"))["session"].to_list()
