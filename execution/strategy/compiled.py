"""`decide` and the book arithmetic as numba sees them; importing this loads numba (half a second).

`decide` is compiled once per strategy class, without fast-math, so that machine code and Python
agree bit for bit.
"""

import dis
import re
import threading
from collections import namedtuple
from typing import TYPE_CHECKING, Any, NamedTuple

import numba
from numba import types
from numba.core.errors import NumbaError
from numba.extending import register_jitable

from data.errors import UsageError
from execution.strategy import costs, position, sizing
from execution.strategy.position import Position

if TYPE_CHECKING:
    from execution.strategy.contract import Strategy

# The written-once arithmetic: from here on compiled code may call these Python functions.
for written in (
    sizing.round_to_lot,
    sizing.order_quantity,
    sizing.apply_fill,
    sizing.book_equity,
    costs.fill_price,
    costs.commission,
    position.position_after_fill,
    position.position_at_close,
):
    register_jitable(written)


def _named_floats(kind: type[Any]) -> Any:
    """numba's type of a namedtuple whose fields are all floats."""
    return types.NamedUniTuple(types.float64, len(kind._fields), kind)  # type: ignore[no-untyped-call]


_POSITION_TYPE = _named_floats(Position)
_NUMBER_TYPES = (types.Float, types.Integer, types.Boolean)


class CompiledDecide(NamedTuple):
    """What one strategy class compiled to."""

    decide: Any
    """numba dispatcher (x, position) -> float64"""
    inputs: type[Any]
    """the namedtuple type of x"""


_compiled: dict[tuple[type["Strategy"], tuple[str, ...]], CompiledDecide] = {}
_lock = threading.Lock()


def compile_decide(strategy: type["Strategy"], feature_names: tuple[str, ...]) -> CompiledDecide:
    """The machine code of `strategy.decide`, made at the first call and kept."""
    key = (strategy, feature_names)
    with _lock:
        if key not in _compiled:
            if any(known is strategy for known, _ in _compiled):
                raise UsageError(
                    f"{strategy.__name__}.features() names other features for other parameters",
                    "Return the same names in the same order whatever the parameters are.",
                )
            _compiled[key] = _compile(strategy, feature_names)
        return _compiled[key]


def _compile(strategy: type["Strategy"], feature_names: tuple[str, ...]) -> CompiledDecide:
    inputs = namedtuple(f"{strategy.__name__}Features", feature_names)  # type: ignore[misc]
    inputs_type = _named_floats(inputs)
    written = strategy.decide
    takes_position = written.__code__.co_argcount == 2
    arguments = (inputs_type, _POSITION_TYPE) if takes_position else (inputs_type,)
    rule: Any = numba.njit(written)
    try:
        rule.compile(arguments)
    except NumbaError as error:
        line, why = _explain(error, written, feature_names)
        raise UsageError(f"{strategy.__name__}.decide cannot be compiled: {line}{why}", _ALLOWED) from None
    answer = rule.overloads[arguments].signature.return_type
    if not isinstance(answer, _NUMBER_TYPES):
        raise UsageError(
            f"{strategy.__name__}.decide returns {answer}, not a number on every path",
            "Return a target such as 1.0 or 0.0 everywhere; NaN means no decision.",
        )
    signature = types.float64(inputs_type, _POSITION_TYPE)
    if takes_position:
        decide = (
            rule if answer == types.float64 else numba.njit([signature])(lambda x, held: rule(x, held) * 1.0)
        )
    else:
        decide = numba.njit([signature])(lambda x, held: rule(x) * 1.0)
    return CompiledDecide(decide, inputs)


_ALLOWED = "Use numbers, comparisons, if and the math module, and read only x and position."


def _explain(error: NumbaError, written: Any, feature_names: tuple[str, ...]) -> tuple[str, str]:
    """("line 12: ", the cause in words) from numba's several pages."""
    text = str(error)
    where = re.search(r", line (\d+)", text) or re.search(r"\((\d+)\)", text)
    line = f"line {where[1]}: " if where else ""
    undefined = re.search(r"name '(\w+)' is not defined", text)
    if undefined and not where:
        line = _line_that_names(undefined[1], written)
    lines = [each.strip() for each in text.splitlines() if each.strip() and "pipeline" not in each]
    why = lines[0] if lines else type(error).__name__
    unknown = re.search(r"Unknown attribute '(\w+)' of type \w+Features\(", text)
    if unknown:
        why = f"x.{unknown[1]} is not a feature; features() names {', '.join(feature_names)}"
    return line, why


def _line_that_names(name: str, written: Any) -> str:
    line = 0
    for each in dis.get_instructions(written):
        line = each.starts_line or line
        if each.argval == name:
            return f"line {line}: "
    return ""
