"""Typed parameters of a strategy: `fast = param(10, low=2, high=60)`."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast, overload

from data.errors import UsageError

if TYPE_CHECKING:
    from execution.strategy.contract import Strategy

T = TypeVar("T", int, float, str)


class Param(Generic[T]):
    """One parameter with its default and its bounds or choices; the default's type is its type."""

    def __init__(self, default: T, low: T | None, high: T | None, choices: tuple[T, ...]) -> None:
        self.default: T = default
        self.low: T | None = low
        self.high: T | None = high
        self.choices: tuple[T, ...] = choices
        self.name = ""

    def __set_name__(self, owner: type["Strategy"], name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type["Strategy"]) -> "Param[T]": ...
    @overload
    def __get__(self, instance: "Strategy", owner: type["Strategy"]) -> T: ...
    def __get__(self, instance: "Strategy | None", owner: type["Strategy"]) -> "Param[T] | T":
        if instance is None:
            return self
        return cast(T, instance.params()[self.name])

    def __set__(self, instance: "Strategy", value: T) -> None:
        made = type(instance).__name__
        raise UsageError(
            f"{made}.{self.name} cannot change once the strategy is made",
            f"Make another: {made}({self.name}={value!r}).",
        )

    def checked(self, value: Any, where: str) -> T:
        """`value` as this parameter's type, or a sentence that says what is allowed."""
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
        return as_type

    def bounds(self) -> str:
        """What may be given, in words."""
        if self.choices:
            return "one of " + ", ".join(map(repr, self.choices))
        low = "any" if self.low is None else repr(self.low)
        high = "any" if self.high is None else repr(self.high)
        return f"a value from {low} to {high}" if (low, high) != ("any", "any") else "any value"

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


_KINDS = {int: "a whole number", float: "a number", str: "a word"}


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
    choices: Sequence[T] | None = None,
) -> Param[T]:
    """A parameter of a strategy: int, float or (with choices) str, checked whenever a strategy is made."""
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
    if low is not None and high is not None and low > high:
        raise UsageError(
            f"a parameter's bounds are upside down: {low!r} to {high!r}",
            "Swap low and high.",
        )
    made = Param(default, low, high, tuple(choices or ()))
    made.name = "default"
    made.checked(default, "param")
    return made
