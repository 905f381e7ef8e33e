"""What a rule decides on each bar for given features and holdings, by the machine code that everything else calls."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data.errors import UsageError
from data.orders import signed
from execution.strategy import Portfolio, Position, Positions, Strategy
from execution.strategy.arrays import FloatArray
from execution.strategy.position import FLAT, position_after_fill, position_at_close
from research.detectors.histories import History, moment

Rule = Strategy | Portfolio
Columns = Mapping[str, Mapping[str, FloatArray]]
"""symbol -> feature -> one value per bar"""


class Situations(NamedTuple):
    """What a rule is asked about: one for each instant at which one of its symbols has a bar."""

    ts_us: NDArray[np.int64]
    features: FloatArray
    """features × instants × symbols, each at its newest value"""
    present: NDArray[np.bool_]
    """instants × symbols: who has a bar then"""


def situations(rule: Rule, history: History, columns: Columns) -> Situations:
    """The features of all symbols on the union of their bars."""
    ts_us = np.unique(np.concatenate([bars.ts_us for bars in history.values()]))
    names = tuple(rule.feature_specs())
    features = np.full((len(names), len(ts_us), len(history)), math.nan)
    present = np.zeros((len(ts_us), len(history)), dtype=np.bool_)
    for place, (symbol, bars) in enumerate(history.items()):
        newest = np.searchsorted(bars.ts_us, ts_us, side="right") - 1
        known = newest >= 0
        present[known, place] = bars.ts_us[newest[known]] == ts_us[known]
        for row, name in enumerate(names):
            features[row, known, place] = columns[symbol][name][newest[known]]
    return Situations(ts_us, features, present)


def holdings(orders: pl.DataFrame, history: History) -> dict[str, FloatArray]:
    """For each symbol the position at each of its closes, as `decide` sees it (bars × Position)."""
    held: dict[str, FloatArray] = {}
    for symbol, bars in history.items():
        filled = orders.filter((pl.col("symbol") == symbol) & pl.col("fill_price").is_not_null())
        fills = {
            ts_us: (signed(side, qty), price)
            for ts_us, side, qty, price in filled.select(
                pl.col("fill_ts_utc").dt.epoch("us"), "side", "qty", "fill_price"
            ).iter_rows()
        }
        made = np.empty((len(bars), len(Position._fields)))
        position = FLAT
        for at, (ts_us, close) in enumerate(zip(bars.ts_us.tolist(), bars.close.tolist(), strict=True)):
            if ts_us in fills:
                position = position_after_fill(position, *fills[ts_us])
            position = position_at_close(position, close)
            made[at] = position
        held[symbol] = made
    return held


def targets(
    rule: Rule, asked: Situations, held: Mapping[str, FloatArray], history: History, where: NDArray[np.bool_]
) -> FloatArray:
    """Instants × symbols: what the rule gives where it is asked, NaN elsewhere and where it decides nothing."""
    positions = np.zeros((len(asked.ts_us), len(Position._fields), len(history)))
    for place, (symbol, bars) in enumerate(history.items()):
        newest = np.searchsorted(bars.ts_us, asked.ts_us, side="right") - 1
        known = newest >= 0
        positions[known, :, place] = held[symbol][newest[known]]
    ask = _weights if isinstance(rule, Portfolio) else _targets
    return np.where(asked.present, ask(rule, asked, positions, where), math.nan)


def _weights(rule: Rule, asked: Situations, positions: FloatArray, where: NDArray[np.bool_]) -> FloatArray:
    allocate: Any = rule.compiled()
    inputs: Any = rule.inputs()
    made = np.full(asked.present.shape, math.nan)
    for instant in np.flatnonzero(where & asked.present.any(axis=1)).tolist():
        x = inputs(*(row[instant].copy() for row in asked.features))
        try:
            made[instant] = allocate(x, Positions(*(row.copy() for row in positions[instant])))
        except Exception as error:  # whatever a person's allocate raises
            raise _raised(rule, error, asked, instant) from error
    return made


def _targets(rule: Rule, asked: Situations, positions: FloatArray, where: NDArray[np.bool_]) -> FloatArray:
    decide: Any = rule.compiled()
    inputs: Any = rule.inputs()
    made = np.full(asked.present.shape, math.nan)
    ready = asked.present & ~np.isnan(asked.features).any(axis=0) & where[:, None]
    for instant, symbol in zip(*(each.tolist() for each in np.nonzero(ready)), strict=True):
        x = inputs(*asked.features[:, instant, symbol].tolist())
        try:
            made[instant, symbol] = decide(x, Position(*positions[instant, :, symbol].tolist()))
        except Exception as error:  # whatever a person's decide raises
            raise _raised(rule, error, asked, instant) from error
    return made


def _raised(rule: Rule, error: Exception, asked: Situations, instant: int) -> UsageError:
    values = {name: asked.features[row, instant].tolist() for row, name in enumerate(rule.feature_specs())}
    return UsageError(
        f"{type(rule).__name__} raises {type(error).__name__}: {error} at {moment(int(asked.ts_us[instant]))} UTC "
        f"for the features {values}",
        "Let it decide something, or give NaN, whatever the features are.",
    )
