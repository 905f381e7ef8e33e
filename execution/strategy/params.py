"""Typed parameters of a strategy: `fast = param(10, low=2, high=60)`."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast, overload

from data.errors import UsageError

if TYPE_CHECKING:
    from execution.strategy.rule import Rule

T = TypeVar("T", int, float, str)

_KINDS: Final = {int: "a whole number", float: "a number", str: "a word"}

# So far from a step a number may be and still be meant: ranges of floats miss their steps by rounding.
_NEAR: Final = 1e-6


class Param(Generic[T]):
    """One parameter with its default and its bounds or choices; the default's type is its type."""

    def __init__(
        self,
        default: T,
        low: T | None = None,
        high: T | None = None,
        step: T | None = None,
        log: bool = False,
        choices: tuple[T, ...] = (),
    ) -> None:
        self.default: T = default
        self.low: T | None = low
        self.high: T | None = high
        self.step: T | None = step
        self.log = log
        self.choices: tuple[T, ...] = choices
        self.name = ""

    def __set_name__(self, owner: type["Rule"], name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type["Rule"]) -> "Param[T]": ...
    @overload
    def __get__(self, instance: "Rule", owner: type["Rule"]) -> T: ...
    def __get__(self, instance: "Rule | None", owner: type["Rule"]) -> "Param[T] | T":
        if instance is None:
            return self
        return cast(T, instance._params[self.name])

    def __set__(self, instance: "Rule", value: T) -> None:
        made = type(instance).__name__
        raise UsageError(
            f"{made}.{self.name} cannot change once the strategy is made",
            f"Make another: {made}({self.name}={value!r}).",
        )

    def checked(self, value: Any, where: str) -> T:
        """`value` as this parameter's type, or a sentence that says what is allowed."""
        if self._is_plainly_allowed(value):
            return cast(T, value)
        as_type = self._as_type(value, where)
        if self.choices and as_type not in self.choices:
            allowed = ", ".join(map(repr, self.choices))
            raise UsageError(
                f"{where}.{self.name} is {value!r}, which is not a choice",
                f"Use one of: {allowed}.",
            )
        if (self.low is not None and as_type < self.low) or (self.high is not None and as_type > self.high):
            raise UsageError(
                f"{where}.{self.name} is {value!r}, out of bounds",
                f"Use {self.bounds()}.",
            )
        return self._on_step(as_type, value, where)

    def _is_plainly_allowed(self, value: Any) -> bool:
        """The short way for what a sweep gives ten thousand times: the right type, between two bounds."""
        if type(value) is not type(self.default) or self.choices or self.step is not None:
            return False
        low, high = self.low, self.high
        return low is not None and high is not None and low <= value <= high

    def bounds(self) -> str:
        """What may be given, in words."""
        if self.choices:
            return "one of " + ", ".join(map(repr, self.choices))
        low = "any" if self.low is None else repr(self.low)
        high = "any" if self.high is None else repr(self.high)
        said = f"a value from {low} to {high}" if (low, high) != ("any", "any") else "any value"
        return said if self.step is None else f"{said} in steps of {self.step!r}"

    def spread(self, count: int) -> list[T]:
        """About `count` values, evenly over the choices or the bounds (evenly in the logarithm where that was
        declared); fewer where there are not so many, and only the default where there are no bounds."""
        if count < 1:
            raise UsageError(
                f"{self.name or 'a parameter'} was asked for {count} values", "Ask for 1 or more."
            )
        if self.choices:
            return _thinned(self.choices, count)
        if self.low is None or self.high is None:
            return [self.default]
        low, high = float(self.low), float(self.high)
        places = [0.5] if count == 1 else [number / (count - 1) for number in range(count)]
        if self.log:
            wanted = [math.exp(math.log(low) + place * math.log(high / low)) for place in places]
        else:
            wanted = [low + place * (high - low) for place in places]
        return sorted({self._nearest(min(max(each, low), high)) for each in wanted})

    def _nearest(self, value: float) -> T:
        """The allowed value closest to one within the bounds."""
        kind = type(self.default)
        step = self._grid()
        if step is None:
            return kind(value)
        low, high = float(cast(float, self.low)), float(cast(float, self.high))
        last = math.floor((high - low) / step + _NEAR)
        return self._at_step(min(round((value - low) / step), last))

    def _grid(self) -> float | None:
        if self.step is not None:
            return float(self.step)
        return 1.0 if isinstance(self.default, int) else None

    def _at_step(self, number: int) -> T:
        """0.3 and not 0.30000000000000004: however a value was reached, it is one and the same."""
        value = float(cast(float, self.low)) + number * float(self._grid() or 0.0)
        return type(self.default)(round(value, 12))

    def _on_step(self, as_type: T, value: Any, where: str) -> T:
        if self.step is None:
            return as_type
        place = (float(as_type) - float(cast(float, self.low))) / float(self.step)
        if abs(place - round(place)) > _NEAR:
            raise UsageError(
                f"{where}.{self.name} is {value!r}, between two steps",
                f"Use {self.bounds()}.",
            )
        return self._at_step(round(place))

    def _as_type(self, value: Any, where: str) -> T:
        kind = type(self.default)
        if kind is str:
            good = isinstance(value, str)
        else:
            good = not isinstance(value, (bool, str)) and _is_finite(value)
            if good and kind is int:
                good = float(value).is_integer()
        if not good:
            raise UsageError(
                f"{where}.{self.name} is {value!r}, not {_KINDS[kind]}",
                f"Use {self.bounds()}.",
            )
        return kind(value)


def _thinned(values: Sequence[T], count: int) -> list[T]:
    if count >= len(values):
        return list(values)
    if count == 1:
        return [values[0]]
    return [values[round(number * (len(values) - 1) / (count - 1))] for number in range(count)]


def _is_finite(value: Any) -> bool:
    try:
        return math.isfinite(value)
    except TypeError:
        return False


def param(
    default: T,
    *,
    low: T | None = None,
    high: T | None = None,
    step: T | None = None,
    log: bool = False,
    choices: Sequence[T] | None = None,
) -> Param[T]:
    """A parameter of a strategy: int, float or (with choices) str, checked whenever a strategy is made.

    `step`: only low, low + step, low + 2 × step … may be given.  `log`: searches move along its logarithm, as is
    right for what ranges over several magnitudes.
    """
    if isinstance(default, bool) or not isinstance(default, (int, float, str)):
        raise UsageError(
            f"a parameter's default is {default!r}",
            "Use a whole number, a number or a word.",
        )
    if isinstance(default, str) and not choices:
        raise UsageError(
            f"the parameter with default {default!r} has no choices",
            "List them: choices=(…).",
        )
    if choices is not None:
        _refuse_contradicting_choices(default, choices, (low, high, step), log)
    made = Param(default, low, high, step, log, tuple(choices or ()))
    made.name = "default"
    if low is not None and high is not None and low > high:
        raise UsageError(
            f"a parameter's bounds are upside down: {low!r} to {high!r}",
            "Swap low and high.",
        )
    _refuse_impossible_scale(made)
    made.choices = tuple(made._as_type(each, "param") for each in made.choices)
    made.checked(default, "param")
    return made


def _refuse_contradicting_choices(
    default: Any, choices: Sequence[Any], bounds: Sequence[Any], log: bool
) -> None:
    if not choices:
        raise UsageError(f"the parameter with default {default!r} has no choices", "List them: choices=(…).")
    if log or any(each is not None for each in bounds):
        raise UsageError(
            f"the parameter with default {default!r} has choices and bounds",
            "Give choices, or low, high, step and log.",
        )
    if len(set(choices)) < len(choices):
        raise UsageError(f"a parameter's choices repeat themselves: {list(choices)!r}", "List each once.")


def _refuse_impossible_scale(made: Param[Any]) -> None:
    for bound, value in (("low", made.low), ("high", made.high), ("step", made.step)):
        if value is not None and (isinstance(value, (bool, str)) or not _is_finite(value)):
            raise UsageError(f"a parameter's {bound} is {value!r}", "Give a finite number, or leave it out.")
    if isinstance(made.default, int) and any(
        value is not None and value != int(value) for value in (made.low, made.high, made.step)
    ):
        raise UsageError(
            f"the whole number {made.default!r} has bounds or a step that are none",
            f"Write the default as {float(made.default)!r}, or whole bounds.",
        )
    if made.step is not None:
        if made.step <= 0:
            raise UsageError(f"a parameter's step is {made.step!r}", "Give a step above zero.")
        if made.low is None:
            raise UsageError(
                f"a parameter has steps of {made.step!r} that begin nowhere", "Say where: low=…."
            )
    if made.log:
        if made.low is None or made.high is None:
            raise UsageError("a parameter is logarithmic without bounds", "Give it low and high.")
        if made.low <= 0:
            raise UsageError(
                f"a parameter is logarithmic from {made.low!r}, which has no logarithm",
                "Give a low above zero, or leave log out.",
            )
