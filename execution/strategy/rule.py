"""What every kind of strategy shares: typed parameters, named features and one compiled function.

Everything wrong with a strategy is said when its class or its instance is made.
"""

import inspect
import keyword
from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar

from data.errors import UsageError
from execution.strategy.features import Feature
from execution.strategy.params import Param


class Senseless(UsageError):
    """Parameters that are allowed one by one and that the strategy refuses together."""


class Rule:
    """Instances are immutable and compare by class and parameters."""

    _written: ClassVar[str]
    """the static method that a person writes"""
    _forms: ClassVar[tuple[str, ...]]
    """how it may be written, one form for each number of arguments"""

    _declared: ClassVar[dict[str, Param[Any]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        own = {name: value for name, value in vars(cls).items() if isinstance(value, Param)}
        cls._declared = {**cls._declared, **own}
        if getattr(cls, "_written", None) in vars(cls):
            _check_written(cls)

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
        why = self.refused()
        if why:
            raise Senseless(f"{self!r} makes no sense: {why}", "Choose parameters that go together.")
        self._specs = _checked_features(self)
        from execution.strategy.compiled import compile_rule  # numba loads with the first strategy made

        self._compiled = compile_rule(type(self), tuple(self._specs))

    @classmethod
    def declared_params(cls) -> dict[str, Param[Any]]:
        """The parameters by name, with defaults, bounds and choices."""
        return dict(cls._declared)

    @classmethod
    def written(cls) -> Any:
        """The Python function that was compiled."""
        return getattr(cls, cls._written)

    @classmethod
    def compiled(cls) -> Any:
        """The numba dispatcher that sweep, backtest and engines all call."""
        return cls()._compiled.function

    @classmethod
    def inputs(cls) -> type[Any]:
        """The namedtuple that the rule receives as x."""
        return cls()._compiled.inputs

    def features(self) -> Mapping[str, Feature]:
        """Name -> feature, the names being what the rule reads from x."""
        raise UsageError(
            f"{type(self).__name__} has no features",
            "Define features(self) returning {name: sma(…), …}.",
        )

    def refused(self) -> str | None:
        """Why these parameters make no sense together, such as "fast is not below slow"; None when they do.

        Sweeps leave such sets out and say how many they were.
        """
        return None

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
        return isinstance(other, Rule) and type(other) is type(self) and other._params == self._params

    def __hash__(self) -> int:
        return hash((type(self), *self._params.items()))


def check_made(strategy: object) -> None:
    """Refuse a class, or anything else, where a strategy with its parameters is wanted."""
    if isinstance(strategy, type) and issubclass(strategy, Rule):
        raise UsageError(
            f"{strategy.__name__} is a class and has no parameters yet", f"Make one: {strategy.__name__}()."
        )
    if not isinstance(strategy, Rule):
        raise UsageError(
            f"{strategy!r} is no strategy", "Give a Strategy or a Portfolio, such as Crossover()."
        )


def check_class(strategy: object) -> None:
    """Refuse a strategy with its parameters, or anything else, where the class is wanted."""
    if isinstance(strategy, Rule):
        name = type(strategy).__name__
        raise UsageError(f"{strategy!r} has its parameters already", f"Give the class: {name}.")
    if not (isinstance(strategy, type) and issubclass(strategy, Rule)):
        raise UsageError(f"{strategy!r} is no strategy", "Give the class of a Strategy or a Portfolio.")


def _check_written(cls: type[Rule]) -> None:
    written = vars(cls)[cls._written]
    if not isinstance(written, staticmethod):
        raise UsageError(
            f"{cls.__name__}.{cls._written} is not a static method",
            "Write @staticmethod above it.",
        )
    try:
        arguments = list(inspect.signature(written.__func__).parameters.values())
    except (TypeError, ValueError):
        arguments = []
    counts = [form.count(",") + 1 for form in cls._forms]
    if len(arguments) not in counts or any(each.kind != each.POSITIONAL_OR_KEYWORD for each in arguments):
        raise UsageError(
            f"{cls.__name__}.{cls._written} takes other arguments than it will be given",
            f"Write {' or '.join(cls._forms)}.",
        )


def _checked_features(rule: Rule) -> dict[str, Feature]:
    made = type(rule).__name__
    if not hasattr(type(rule), rule._written):
        raise UsageError(
            f"{made} has no {rule._written}",
            f"Write a static method {' or '.join(rule._forms)}.",
        )
    specs = rule.features()
    if not isinstance(specs, Mapping) or not specs:
        raise UsageError(
            f"{made}.features() returned {specs!r}",
            "Return a dict like {'fast': sma('close', 10)}.",
        )
    _refuse_odd_names(tuple(specs), made)
    for name, spec in specs.items():
        if not isinstance(spec, Feature):
            raise UsageError(
                f"{made}.features()[{name!r}] is {_said(spec)}, which is not a feature",
                _which_output(spec)
                or "Use one from execution.strategy: sma, ema, rsi, atr, std, roc, price, constant, …",
            )
    return dict(specs)


@cache
def _refuse_odd_names(names: tuple[Any, ...], made: str) -> None:
    for name in names:
        if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name) or name[0] == "_":
            raise UsageError(
                f"{made}.features() names a feature {name!r}",
                "Use a plain word, as in x.fast.",
            )


def _said(spec: object) -> str:
    return f"all of a {type(spec).__name__}" if _which_output(spec) else repr(spec)


def _which_output(spec: object) -> str:
    """Of a feature with several outputs one is meant."""
    fields = getattr(spec, "_fields", ())
    return f"Pick one of its outputs: .{', .'.join(fields)}." if fields else ""
