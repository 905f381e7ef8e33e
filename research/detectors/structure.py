"""What a strategy is made of: whether its features are functions of the bars alone, and what it decides at all."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from execution.strategy import Feature, Portfolio, Strategy
from execution.strategy.arrays import COLUMNS, BarArrays, FloatArray
from research.backtest import Backtest
from research.detectors.findings import Finding
from research.detectors.histories import copied, differs, distance, usual_size
from research.detectors.look_ahead import ROUNDING
from research.detectors.readings import read


def made_of(strategy: Strategy | Portfolio) -> Iterator[Finding]:
    """What compiled, and which features a running engine cannot repeat to the bit."""
    specs = strategy.feature_specs()
    yield Finding("compiles", "pass", f"{_reads(strategy)}; its features are {', '.join(specs)}")
    for name, feature in specs.items():
        if not feature.exact:
            yield Finding(
                "exactness",
                "note",
                "a running engine works it out anew from a window of bars, so its last digits may differ",
                name,
                "Good to explore; write it with @bar_by_bar before you publish.",
            )


def _reads(strategy: Strategy | Portfolio) -> str:
    if isinstance(strategy, Portfolio):
        return "allocate reads features and positions"
    written: Any = strategy.written()
    return f"decide reads {'features and its position' if written.__code__.co_argcount == 2 else 'features only'}"


def impurities(
    features: Mapping[str, Feature], remade: Mapping[str, Feature], bars: BarArrays
) -> Iterator[Finding]:
    """Features that raise, that write into the bars, or that give something else the second time.

    `remade`: what `features()` of another instance with the same parameters returned.
    """
    first, again = read(features, bars), read(remade, bars)
    for name, feature in features.items():
        if name in first.raised:
            yield Finding("purity", "fail", f"it fails: {first.raised[name]}", name, "Correct the feature.")
            continue
        known, repeated = first.columns[name], again.columns.get(name)
        apart = np.inf if repeated is None else distance(known, repeated, usual_size(known)).max()
        if apart > (0.0 if feature.exact else ROUNDING):
            yield Finding(
                "purity",
                "fail",
                "it gives other values for the same bars the second time",
                name,
                "Let it depend on the bars alone: no clock, no randomness, no memory between calls.",
            )
        elif apart > 0.0:
            yield Finding(
                "purity",
                "note",
                "its last digits vary from one time to the next, as sums over groups do in polars",
                name,
                "Good to explore; write it with @bar_by_bar before you publish.",
            )
        elif _writes(feature, bars):
            yield Finding(
                "purity", "fail", "it changes the bars that it is given", name, "Let it work on a copy."
            )


def _writes(feature: Feature, bars: BarArrays) -> bool:
    given = copied(bars)
    with np.errstate(all="ignore"):
        feature.batch(given)
    return any(differs(getattr(given, name), getattr(bars, name)).any() for name in COLUMNS)


def holes(columns: Mapping[str, FloatArray]) -> Iterator[Finding]:
    """Features without a value after their first one."""
    for name, column in columns.items():
        known = np.flatnonzero(~np.isnan(column))
        if not len(known):
            continue  # warm-up tells
        share = float(np.isnan(column[known[0] :]).mean())
        if share > 0.0:
            yield Finding(
                "values",
                "note",
                f"it is NaN on {share:.2%} of the bars after its first value, on which nothing is decided",
                name,
                "Nothing, if that is meant.",
            )


def decides(done: Backtest, decided: FloatArray, asked: int) -> Finding:
    """How often it decides, which targets it gives and how much it trades.  `asked`: bars on which it could decide."""
    known = decided[~np.isnan(decided)]
    if not len(known):
        return Finding(
            "decisions",
            "note",
            f"it decides nothing on these {asked:,} bars, so that none of its decisions could be checked",
            fix="Check it on more bars, or on those of a market that it is made for.",
        )
    distinct = len(np.unique(known))
    range_ = f"from {known.min():g} to {known.max():g}, {distinct:,} different ones"
    given = f"on {len(known):,} of {asked:,} bars it gives a target, {range_ if distinct > 1 else f'{known[0]:g}'}"
    traded = f"the account turned over {done.statistics['turnover']:,.0f} times a year"
    said = f"{given}; {done.orders.height:,} order{'s' if done.orders.height != 1 else ''}, {traded}"
    if done.orders.is_empty():
        return Finding(
            "decisions", "note", f"{said}: none of its orders could be checked", fix="Check it on more bars."
        )
    return Finding("decisions", "pass", said)
