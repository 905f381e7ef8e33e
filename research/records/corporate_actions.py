"""The splits and dividends inside bars that came from the lake as they were traded."""

import polars as pl

from data import actions
from data.postgres import connect
from research.records.provenance import provenance_of


def known_actions(bars: pl.DataFrame) -> pl.DataFrame | None:
    """What the catalog knew in the snapshot of these bars; None for bars of other origin, or without any.

    Adjusted prices hold them already.
    """
    origin = provenance_of(bars)
    if origin is None or origin.adjusted != "raw":
        return None
    with connect(autocommit=True) as connection:
        told = actions.known(connection, origin.source, origin.symbols, origin.snapshot)
    first, last = bars["ts_utc"].dt.date().min(), bars["ts_utc"].dt.date().max()
    inside = told.filter(pl.col("session").is_between(pl.lit(first), pl.lit(last)))
    return None if inside.is_empty() else inside
