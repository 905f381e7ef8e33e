"""Rules and the book arithmetic as numba sees them; importing this loads numba (half a second).

A rule is compiled once per strategy class, without fast-math, so that machine code and Python agree bit for bit.
Plain functions that it calls are compiled with it.
"""

import secrets
import threading
from collections import namedtuple
from collections.abc import Callable, Iterable
from functools import cache
from itertools import count
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numba
from numba import types
from numba.core.bytecode import FunctionIdentity
from numba.core.errors import NumbaError
from numba.extending import register_jitable

from data.errors import UsageError
from execution.strategy import costs, position, sizing
from execution.strategy.compile_errors import explained
from execution.strategy.contract import Portfolio, Positions
from execution.strategy.numba_blas import load_blas
from execution.strategy.position import Position
from execution.strategy.purity import reached_functions

if TYPE_CHECKING:
    from execution.strategy.rule import Rule

load_blas()

# numba numbers what it compiles, in every process from 1 on, and finds machine code by its name and number.  Two rules
# that two processes compiled and kept on disk would meet under one number, and one would run in place of the other.
FunctionIdentity._unique_ids = count(secrets.randbits(62))

_jitable: set[Callable[..., Any]] = set()


def let_compiled_code_call(functions: Iterable[Callable[..., Any]]) -> None:
    """From here on compiled code may call these Python functions."""
    for function in functions:
        if function not in _jitable:
            _jitable.add(function)
            register_jitable(function)


# The written-once arithmetic.
let_compiled_code_call(
    (
        sizing.round_to_lot,
        sizing.order_quantity,
        sizing.apply_fill,
        sizing.book_equity,
        costs.fill_price,
        costs.commission,
        costs.borrow_fee,
        costs.debit_interest,
        position.position_after_fill,
        position.position_at_close,
    )
)


def _named(kind: type[Any], each: Any) -> Any:
    """numba's type of a namedtuple whose fields are all alike."""
    return types.NamedUniTuple(each, len(kind._fields), kind)  # type: ignore[no-untyped-call]


_LINE: Final = types.Array(types.float64, 1, "C")
_POSITION: Final = _named(Position, types.float64)
_POSITIONS: Final = _named(Positions, _LINE)
NUMBERS: Final = (types.Float, types.Integer, types.Boolean)


_WRITES: Final = "Cannot modify readonly array"  # numba's words


class CompiledRule(NamedTuple):
    """What one strategy class compiled to."""

    function: Any
    """numba dispatcher: (x, position) -> float64, of a Portfolio (x, positions) -> array"""
    inputs: type[Any]
    """the namedtuple type of x"""


_compiled: dict[type["Rule"], tuple[tuple[str, ...], CompiledRule]] = {}
_lock = threading.Lock()


def compile_rule(strategy: type["Rule"], feature_names: tuple[str, ...]) -> CompiledRule:
    """The machine code of what a person wrote, made at the first call and kept."""
    with _lock:
        if strategy not in _compiled:
            inputs = _inputs_named(f"{strategy.__name__}Features", feature_names)
            make = _allocate if issubclass(strategy, Portfolio) else _decide
            _compiled[strategy] = feature_names, CompiledRule(make(strategy, inputs), inputs)
        names, made = _compiled[strategy]
    if names != feature_names:
        raise UsageError(
            f"{strategy.__name__}.features() names other features for other parameters",
            "Return the same names in the same order whatever the parameters are.",
        )
    return made


@cache
def _inputs_named(name: str, feature_names: tuple[str, ...]) -> type[Any]:
    """The type of x.  numba tells types of one name and the same fields apart at its own peril: it remembers arguments
    by both, so two versions of a strategy in one process have to share it."""
    return namedtuple(name, feature_names)


def machine_code(
    function: Callable[..., Any], arguments: tuple[Any, ...], name: str, inputs: Any = ()
) -> Any:
    """`function` compiled for these argument types, or a sentence that says which line cannot be and why."""
    let_compiled_code_call(reached_functions(function, name))
    made: Any = numba.njit(function)
    try:
        made.compile(arguments)
    except NumbaError as error:
        raise UsageError(
            f"{name} cannot be compiled: {explained(error, function, inputs)}",
            "Use numbers, comparisons, if, loops and the math module, and read only what it is given.",
        ) from None
    return made


def answer_of(made: Any, arguments: tuple[Any, ...]) -> Any:
    """numba's type of what it returns."""
    return made.overloads[arguments].signature.return_type


def _decide(strategy: type["Rule"], inputs: type[Any]) -> Any:
    written = strategy.written()
    inputs_type = _named(inputs, types.float64)
    takes_position = written.__code__.co_argcount == 2
    arguments = (inputs_type, _POSITION) if takes_position else (inputs_type,)
    rule = machine_code(written, arguments, f"{strategy.__name__}.decide", inputs._fields)
    answer = answer_of(rule, arguments)
    if not isinstance(answer, NUMBERS):
        raise UsageError(
            f"{strategy.__name__}.decide returns {answer}, not a number on every path",
            "Return a target such as 1.0 or 0.0 everywhere; NaN means no decision.",
        )
    signature = types.float64(inputs_type, _POSITION)
    if takes_position:
        return (
            rule if answer == types.float64 else numba.njit([signature])(lambda x, held: rule(x, held) * 1.0)
        )
    return numba.njit([signature])(lambda x, held: rule(x) * 1.0)


def _allocate(strategy: type["Rule"], inputs: type[Any]) -> Any:
    arguments = (_named(inputs, _LINE), _POSITIONS)
    rule = machine_code(strategy.written(), arguments, f"{strategy.__name__}.allocate", inputs._fields)
    answer = answer_of(rule, arguments)
    if not (isinstance(answer, types.Array) and answer.ndim == 1 and isinstance(answer.dtype, NUMBERS)):
        raise UsageError(
            f"{strategy.__name__}.allocate returns {answer}, not one number per symbol on every path",
            f"Return an array such as np.zeros(x.{inputs._fields[0]}.size); NaN leaves a weight as it is.",
        )
    _refuse_writing_into(strategy, inputs)
    return rule


def _refuse_writing_into(strategy: type["Rule"], inputs: type[Any]) -> None:
    """The arrays that `allocate` is given are a sweep's own: what one set wrote there the next would read."""
    line = types.Array(types.float64, 1, "C", readonly=True)
    try:
        numba.njit(strategy.written()).compile((_named(inputs, line), _named(Positions, line)))
    except NumbaError as error:
        if _WRITES in str(error):
            where = explained(error, strategy.written(), inputs._fields)
            raise UsageError(
                f"{strategy.__name__}.allocate writes into what it is given: {where}",
                f"Write into an array of its own, such as x.{inputs._fields[0]}.copy().",
            ) from None
