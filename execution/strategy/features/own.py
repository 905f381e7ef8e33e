"""Features that a person writes: a numba update bar by bar, or, to explore, a function over whole columns.

@bar_by_bar(state=1)
def cooled(state, open, high, low, close, volume, weight):
    state[0] = weight * state[0] + (1.0 - weight) * (high - low)
    return state[0]

{"heat": cooled(0.9)}
"""

import inspect
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from data.errors import UsageError
from execution.strategy.arrays import COLUMNS, BarArrays, FloatArray, Ohlcv
from execution.strategy.features.columns import checked_column, checked_period
from execution.strategy.features.feature import Exact, Feature, Running

_GIVEN: Final = ("state", *COLUMNS)
_lock = threading.Lock()

StateSize = int | Callable[..., int]


def bar_by_bar(*, state: StateSize, outputs: int = 1) -> Callable[[Callable[..., Any]], "BarByBar"]:
    """Make features of a function update(state, open, high, low, close, volume, *numbers) -> value at this bar.

    It is compiled by numba and must be pure but for `state`, an array of so many floats (or as many as
    `state(*numbers)` says) that starts as zeros and is its only memory.  NaN means that it warms up.  With `outputs`
    above one it returns a tuple of them.
    """
    return lambda update: BarByBar(update, state, outputs)


class BarByBar:
    """A function that was decorated; called with its numbers it is a feature."""

    def __init__(self, update: Callable[..., Any], state: StateSize, outputs: int) -> None:
        self.update, self.outputs = update, outputs
        self.__name__ = update.__name__
        self._state = state
        self._signature = inspect.signature(update)
        self._compiled: dict[int, tuple[Any, Any]] = {}
        if tuple(self._signature.parameters)[: len(_GIVEN)] != _GIVEN or outputs < 1:
            raise UsageError(
                f"{self.__name__} takes other arguments than it will be given",
                f"Write {self.__name__}({', '.join(_GIVEN)}) and its numbers after these, with one output or more.",
            )

    def __call__(self, *numbers: float, **named: float) -> Feature:
        """The feature with these numbers."""
        if self.outputs > 1:
            raise UsageError(
                f"{self.__name__} has {self.outputs} outputs", f"Pick one: {self.__name__}.all(…)[0]."
            )
        return self.all(*numbers, **named)[0]

    def all(self, *numbers: float, **named: float) -> tuple[Feature, ...]:
        """A feature for each output."""
        try:
            bound = self._signature.bind(*_GIVEN, *numbers, **named)
            bound.apply_defaults()
            values = tuple(float(each) for each in bound.args[len(_GIVEN) :])
        except (TypeError, ValueError) as error:
            raise UsageError(
                f"{self.__name__} cannot be made with {numbers or named}: {error}",
                f"Give it {', '.join(list(self._signature.parameters)[len(_GIVEN) :]) or 'no numbers'}.",
            ) from None
        self.compiled(len(values))
        computation = Written(self, values)
        return tuple(Feature(computation, output) for output in range(self.outputs))

    def fresh_state(self, numbers: tuple[float, ...]) -> FloatArray:
        """The memory before the first bar."""
        size = self._state if isinstance(self._state, int) else int(self._state(*numbers))
        if size < 0:
            raise UsageError(f"{self.__name__} asks for a state of {size} numbers", "Ask for zero or more.")
        return np.zeros(size)

    def compiled(self, numbers: int) -> tuple[Any, Any]:
        """(the update, the loop over it), compiled at the first call and kept."""
        with _lock:
            if numbers not in self._compiled:
                self._compiled[numbers] = _compile(self, numbers)
            return self._compiled[numbers]


@dataclass(frozen=True, slots=True)
class Written(Exact):
    """A written update with its numbers; the batch form is the loop over the update."""

    source: BarByBar
    numbers: tuple[float, ...]

    def batch(self, bars: BarArrays) -> tuple[FloatArray, ...]:
        return tuple(self._carried(self.source.fresh_state(self.numbers), bars))

    def incremental(self, history: BarArrays) -> Running:
        state = self.source.fresh_state(self.numbers)
        self._carried(state, history)
        return _WrittenRunning(self, state)

    def _carried(self, state: FloatArray, bars: BarArrays) -> FloatArray:
        _, loop = self.source.compiled(len(self.numbers))
        made = np.empty((self.source.outputs, len(bars)))
        try:
            loop(state, *(getattr(bars, name) for name in COLUMNS), self.numbers, made)
        except Exception as error:  # whatever a person's update raises
            raise UsageError(
                f"the feature {self.source.__name__} raised {type(error).__name__}: {error}",
                "Return NaN where it has no value.",
            ) from error
        return made


class _WrittenRunning:
    __slots__ = ("_numbers", "_single", "_state", "_update")

    def __init__(self, written: Written, state: FloatArray) -> None:
        self._update, _ = written.source.compiled(len(written.numbers))
        self._numbers, self._state = written.numbers, state
        self._single = written.source.outputs == 1

    def update(self, bar: Ohlcv) -> tuple[float, ...]:
        made = self._update(self._state, bar[0], bar[1], bar[2], bar[3], bar[4], *self._numbers)
        return (float(made),) if self._single else made


def _compile(source: BarByBar, count: int) -> tuple[Any, Any]:
    import numba
    from numba import types

    from execution.strategy.compiled import NUMBERS, answer_of, machine_code

    line = types.Array(types.float64, 1, "C")
    arguments = (line, *(types.float64 for _ in range(len(COLUMNS) + count)))
    update = machine_code(source.update, arguments, source.__name__)
    answer = answer_of(update, arguments)
    if source.outputs == 1:
        good = isinstance(answer, NUMBERS)
    else:
        good = answer == types.UniTuple(types.float64, source.outputs)  # type: ignore[no-untyped-call]
    if not good:
        wanted = "a number" if source.outputs == 1 else f"{source.outputs} floats"
        raise UsageError(
            f"{source.__name__} returns {answer}, not {wanted} on every path",
            "Return math.nan while it warms up.",
        )
    single = source.outputs == 1

    def loop(state, open, high, low, close, volume, numbers, made):  # type: ignore[no-untyped-def]
        for bar in range(close.size):
            given = update(state, open[bar], high[bar], low[bar], close[bar], volume[bar], *numbers)
            if single:
                made[0, bar] = given
            else:
                for output in range(made.shape[0]):
                    made[output, bar] = given[output]

    return update, numba.njit(nogil=True)(loop)


def vectorised(function: Callable[..., Any], *columns: str, lookback: int, **numbers: Any) -> Feature:
    """To explore: function(*columns, **numbers) -> one value per bar, in numpy or polars.

    A running engine calls it again on the last `lookback` bars, so its bits may differ from the backtest's
    (`exact` is False) and it is slow.  Define the function on its own, not as a lambda inside `features`: equal
    features are computed once when their functions are one.
    """
    if not columns:
        raise UsageError(f"{_name(function)} reads no column", f"Name some: {', '.join(COLUMNS)}.")
    return Feature(
        Vectorised(
            function,
            tuple(map(checked_column, columns)),
            checked_period(_name(function), lookback, 1),
            tuple(sorted(numbers.items())),
        )
    )


@dataclass(frozen=True, slots=True)
class Vectorised:
    """A function of whole columns."""

    function: Callable[..., Any]
    columns: tuple[str, ...]
    lookback: int
    numbers: tuple[tuple[str, Any], ...]

    @property
    def exact(self) -> bool:
        return False

    def batch(self, bars: BarArrays) -> tuple[FloatArray]:
        return (self.over([getattr(bars, name) for name in self.columns]),)

    def over(self, columns: list[FloatArray]) -> FloatArray:
        """The function's answer, checked."""
        made = self.function(*(column.copy() for column in columns), **dict(self.numbers))
        values = np.array(made, dtype=np.float64)
        if values.shape != columns[0].shape:
            raise UsageError(
                f"the feature {_name(self.function)} gave an array of shape {values.shape} for {len(columns[0])} bars",
                "Return one value per bar, NaN while it warms up.",
            )
        return values

    def incremental(self, history: BarArrays) -> Running:
        return _VectorisedRunning(self, history)


class _VectorisedRunning:
    def __init__(self, vectorised: Vectorised, history: BarArrays) -> None:
        self._vectorised = vectorised
        self._places = [COLUMNS.index(name) for name in vectorised.columns]
        kept = history.part(max(len(history) - vectorised.lookback, 0), len(history))
        self._window = [getattr(kept, name) for name in vectorised.columns]

    def update(self, bar: Ohlcv) -> tuple[float]:
        self._window = [
            np.append(column, bar[place])[-self._vectorised.lookback :]
            for column, place in zip(self._window, self._places, strict=True)
        ]
        value = float(self._vectorised.over(self._window)[-1])
        return (value if math.isfinite(value) else math.nan,)


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__name__", type(function).__name__)
