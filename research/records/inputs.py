"""What a run is: all that decides its result, as plain JSON, and nothing that does not.

The bars stand for themselves by their content; where they lie, on which snapshot, and which commit read them, is kept
beside the inputs.  So the same research is the same run on another machine, after a compaction, or tomorrow.
"""

import hashlib
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from datetime import date, datetime
from types import CodeType
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from data.errors import SlipwayError, UsageError
from data.lake import sha256
from data.query import Moment
from execution.strategy import strategy_source
from research.records.provenance import content_hash

if TYPE_CHECKING:
    from data.runs import Kind

SCHEMA: Final = "slipway.run/1"
"""Raised when the same inputs rightly give other bytes, as by a new column: old records stay what they were."""

_DTYPES: Final = {
    str(dtype): dtype
    for dtype in (pl.String(), pl.Boolean(), pl.Int64(), pl.Float64(), pl.Date(), pl.Datetime("us", "UTC"))
}
"""Of what frames among the terms, such as corporate actions, may have columns."""


@dataclass(frozen=True, slots=True)
class Written:
    """How a strategy class is written down."""

    name: str
    family: str
    source: str | None
    digest: str
    """of the source, or of the compiled code where there is none"""
    unrepeatable: str | None
    """why the source alone does not bring the class back"""


@dataclass(frozen=True, slots=True)
class Seen:
    """The bars of a run, by what a strategy can see of them."""

    content: str
    rows: int
    symbols: tuple[str, ...]
    first: date
    last: date

    @classmethod
    def of(cls, bars: pl.DataFrame) -> "Seen":
        if bars.is_empty():
            raise UsageError("there are no bars to record", "Give a range in which the market was open.")
        first, last = bars["ts_utc"].min(), bars["ts_utc"].max()
        assert isinstance(first, datetime)
        assert isinstance(last, datetime)
        symbols = tuple(bars["symbol"].unique().sort().to_list())
        return cls(content_hash(bars), bars.height, symbols, first.date(), last.date())


def family_of(strategy: type[Any]) -> str:
    """The family under which a strategy class is registered, counted and held out."""
    return strategy.__name__.lower()


def written(strategy: type[Any]) -> Written:
    """A strategy class with its source, if it has one that can be run on its own."""
    name, family = strategy.__name__, family_of(strategy)
    try:
        source = strategy_source(strategy)
    except SlipwayError as error:
        return Written(name, family, None, _compiled_digest(strategy), error.what)
    unrepeatable = None
    if strategy.__module__ == "__main__":
        unrepeatable = f"{name} is defined in a script, which would run as a whole"
    elif getattr(sys.modules.get(strategy.__module__), name, None) is not strategy:
        unrepeatable = f"{name} is not defined at the top of its module"
    return Written(name, family, source, sha256(source.encode()), unrepeatable)


def inputs_of(
    kind: "Kind",
    strategy: Written,
    tried: Mapping[str, Any],
    seen: Seen,
    capital: float,
    costs: Any,
    terms: Mapping[str, Any],
) -> dict[str, Any]:
    """The inputs of a run.  `tried` is what was run: params of one set, or what stands for many."""
    return {
        "schema": SCHEMA,
        "kind": kind,
        "strategy": {"class": strategy.name, "sha256": strategy.digest},
        **tried,
        "symbols": list(seen.symbols),
        "bars": {
            "content": seen.content,
            "rows": seen.rows,
            "first": str(seen.first),
            "last": str(seen.last),
        },
        "capital": float(capital),
        "costs": {name: float(value) for name, value in asdict(costs).items()},
        # What is not given is not named, so that a term that comes to be later leaves old ids as they are.
        "terms": {name: plain(value) for name, value in terms.items() if _is_given(value)},
    }


def plain(value: Any) -> Any:
    """A value as JSON holds it; moments stay recognisable, and what is not finite is null."""
    match value:
        case None | bool() | int() | str():
            return value
        case np.generic():
            return plain(value.item())
        case float():
            return value if math.isfinite(value) else None
        case datetime():
            return {"instant": value.isoformat()}
        case date():
            return {"date": value.isoformat()}
        case pl.DataFrame() if all(str(dtype) in _DTYPES for dtype in value.dtypes):
            columns = {name: str(dtype) for name, dtype in value.schema.items()}
            return {"frame": {"columns": columns, "rows": plain(value.rows())}}
        case Mapping():
            return {str(name): plain(each) for name, each in value.items()}
        case Sequence():
            return [plain(each) for each in value]
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    raise UsageError(
        f"{value!r} cannot be written down as a run's input",
        "Use numbers, words, dates and lists of them.",
    )


def terms_of(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The terms of recorded inputs, as they were given."""
    return {name: _given(value) for name, value in inputs["terms"].items()}


def sessions_traded(terms: Mapping[str, Any]) -> str:
    """From when on bars count, as part of what a set was tried on: a later start is another chance to be lucky."""
    start: Moment | None = terms.get("trade_from")
    return "" if start is None else start.isoformat()


def _given(value: Any) -> Any:
    match value:
        case {"instant": str(text)}:
            return datetime.fromisoformat(text)
        case {"date": str(text)}:
            return date.fromisoformat(text)
        case {"frame": {"columns": dict(columns), "rows": list(rows)}}:
            schema = {name: _DTYPES[dtype] for name, dtype in columns.items()}
            return pl.DataFrame([[_given(cell) for cell in row] for row in rows], schema=schema, orient="row")
    return value


def _is_given(value: Any) -> bool:
    return value is not None and not (isinstance(value, pl.DataFrame) and value.is_empty())


def _compiled_digest(strategy: type[Any]) -> str:
    digest = hashlib.sha256()
    for home in strategy.__mro__:
        if home.__module__.startswith(("execution.", "builtins")):
            continue
        for name, value in sorted(vars(home).items()):
            code = getattr(getattr(value, "__func__", value), "__code__", None)
            if isinstance(code, CodeType):
                for piece in _pieces(code):
                    digest.update(f"{name}\0{piece}\0".encode())
    return digest.hexdigest()


def _pieces(code: CodeType) -> Iterator[str]:
    yield code.co_code.hex()
    yield repr(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _pieces(constant)
        else:
            yield repr(constant)
