"""The strategy contract: parameters, features and one compiled decision.

    class Crossover(Strategy):
        fast = param(10, low=2, high=60)
        slow = param(50, low=20, high=240)

        def features(self):
            return {"fast": sma("close", self.fast), "slow": sma("close", self.slow)}

        @staticmethod
        def decide(x, position):          # compiled by numba; pure
            return 1.0 if x.fast > x.slow else 0.0

`decide` returns the target as a multiple of the book's equity (1.0 all in, 0.0 flat, negative short); NaN leaves
the last target standing.  Everything wrong with a strategy is said when its class or its instance is made.
"""

import inspect
import keyword
from collections.abc import Callable, Hashable, Mapping
from typing import Any, ClassVar

from data.errors import UsageError
from execution.strategy.features import Feature
from execution.strategy.params import Param


class Strategy:
    """One symbol's decision rule.  Instances are immutable and compare by class and parameters."""

    decide: ClassVar[Callable[..., float]]
    """decide(x) or decide(x, position): x has the features as attributes."""

    _declared: ClassVar[dict[str, Param[Any]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        own = {name: value for name, value in vars(cls).items() if isinstance(value, Param)}
        cls._declared = {**cls._declared, **own}
        if "decide" in vars(cls):
            _check_decide(cls)

    def __init__(self, **values: Any) -> None:
        made = type(self).__name__
        for name in values:
            if name not in self._declared:
                known = ", ".join(self._declared) or "none"
                raise UsageError(f"{made} has no parameter {name!r}", f"Its parameters are: {known}.")
        self._params = {
            name: declared.checked(values.get(name, declared.default), made)
            for name, declared in self._declared.items()
        }
        self._specs = _checked_features(self)
        from execution.strategy.compiled import (
            compile_decide,
        )  # numba loads with the first strategy made

        self._compiled = compile_decide(type(self), tuple(self._specs))

    @classmethod
    def declared_params(cls) -> dict[str, Param[Any]]:
        """The parameters by name, with defaults, bounds and choices."""
        return dict(cls._declared)

    @classmethod
    def compiled(cls) -> Any:
        """The numba dispatcher (x, position) -> target that sweep, backtest and engines all call."""
        return cls()._compiled.decide

    @classmethod
    def inputs(cls) -> type[Any]:
        """The namedtuple of floats that `decide` receives as x."""
        return cls()._compiled.inputs

    def features(self) -> Mapping[str, Feature]:
        """Name -> feature, the names being what `decide` reads from x."""
        raise UsageError(
            f"{type(self).__name__} has no features",
            "Define features(self) returning {name: sma(…), …}.",
        )

    def params(self) -> dict[str, Any]:
        """The parameter values of this instance."""
        return dict(self._params)

    def feature_specs(self) -> dict[str, Feature]:
        """What `features()` returned, checked, in its order."""
        return dict(self._specs)

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in self._params.items())
        return f"{type(self).__name__}({values})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Strategy) and type(other) is type(self) and other._params == self._params

    def __hash__(self) -> int:
        return hash((type(self), *self._params.items()))


def _check_decide(cls: type[Strategy]) -> None:
    decide = vars(cls)["decide"]
    if not isinstance(decide, staticmethod):
        raise UsageError(
            f"{cls.__name__}.decide is not a static method",
            "Write @staticmethod above it.",
        )
    try:
        arguments = list(inspect.signature(decide.__func__).parameters.values())
    except (TypeError, ValueError):
        arguments = []
    if len(arguments) not in (1, 2) or any(each.kind != each.POSITIONAL_OR_KEYWORD for each in arguments):
        raise UsageError(
            f"{cls.__name__}.decide takes other arguments than it will be given",
            "Write decide(x) or decide(x, position).",
        )


def _checked_features(strategy: Strategy) -> dict[str, Feature]:
    made = type(strategy).__name__
    if not hasattr(type(strategy), "decide"):
        raise UsageError(
            f"{made} has no decide",
            "Write a static method decide(x) or decide(x, position).",
        )
    specs = strategy.features()
    if not isinstance(specs, Mapping) or not specs:
        raise UsageError(
            f"{made}.features() returned {specs!r}",
            "Return a dict like {'fast': sma('close', 10)}.",
        )
    for name, spec in specs.items():
        if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name) or name[0] == "_":
            raise UsageError(
                f"{made}.features() names a feature {name!r}",
                "Use a plain word, as in x.fast.",
            )
        if not (hasattr(spec, "batch") and hasattr(spec, "incremental") and isinstance(spec, Hashable)):
            raise UsageError(
                f"{made}.features()[{name!r}] is {spec!r}, which is not a feature",
                "Use one from execution.strategy: sma, ema, rsi, atr, std, roc, price, constant, …",
            )
    return dict(specs)
