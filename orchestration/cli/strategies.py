"""What a person types about strategies, turned into strategies: names, files, parameters, grids."""

import math
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, Final

from data.errors import UsageError
from execution.strategy import Rule, load_strategy
from execution.strategy.params import Param

DEFAULT_STEPS: Final = 8
"""Values per parameter when no grid is given: coarse, and done in a moment."""

_TEMPLATE: Final = '''"""Say here what the idea is, when it should pay and when it should not."""

from execution.strategy import Strategy, param, price, sma


class {name}(Strategy):
    """Long while the close is above its average."""

    period = param(50, low=5, high=200)

    def features(self):
        return {{"close": price("close"), "average": sma("close", self.period)}}

    @staticmethod
    def decide(x):
        return 1.0 if x.close > x.average else 0.0
'''


def library() -> list[str]:
    """The names of research.strategies."""
    import research.strategies

    return sorted(module.name for module in iter_modules(research.strategies.__path__))


def strategy_class(name_or_path: str) -> type[Rule]:
    """A strategy of the library by name, or the one in a file."""
    if name_or_path.endswith(".py"):
        return load_strategy(Path(name_or_path))
    known = library()
    name = name_or_path.lower().replace("-", "_")
    if name not in known:
        raise UsageError(
            f"there is no strategy {name_or_path!r}",
            f"Use a file such as my_strategy.py, or one of: {', '.join(known)}.",
        )
    from importlib import import_module

    module = import_module(f"research.strategies.{name}")
    found = [
        each
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, Rule) and each.__module__ == module.__name__
    ]
    return found[0]


def params_of(strategy: type[Rule], typed: list[str]) -> dict[str, Any]:
    """["fast=10"] -> {"fast": 10}; bounds are checked when the strategy is made."""
    return {name: _value(declared, text) for name, declared, text in _split(strategy, typed)}


def grid_of(strategy: type[Rule], typed: list[str]) -> dict[str, list[Any]]:
    """["fast=5:60:5", "slow=50,100"] -> the values to try, a range's end included; all parameters when none."""
    if not typed:
        spread = {name: each.spread(DEFAULT_STEPS) for name, each in strategy.declared_params().items()}
        return {name: values for name, values in spread.items() if len(values) > 1}
    grid: dict[str, list[Any]] = {}
    for name, declared, text in _split(strategy, typed):
        if ":" in text:
            grid[name] = _range(strategy, declared, text)
        else:
            grid[name] = [_value(declared, each) for each in text.split(",") if each]
    return grid


def write_new(path: Path) -> str:
    """Make a strategy file and say the strategy's name."""
    if path.suffix != ".py":
        raise UsageError(f"{path} is not the name of a Python file", "End it with .py.")
    name = "".join(part.capitalize() for part in path.stem.split("_"))
    if not name.isidentifier():
        raise UsageError(f"{path.stem!r} makes no class name", "Use letters, digits and underscores.")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(_TEMPLATE.format(name=name))
    except FileExistsError:
        raise UsageError(f"{path} exists already", "Choose another name; nothing was changed.") from None
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror}", "Choose a folder that exists."
        ) from None
    return name


def _split(strategy: type[Rule], typed: list[str]) -> list[tuple[str, Param[Any], str]]:
    declared = strategy.declared_params()
    found: list[tuple[str, Param[Any], str]] = []
    for each in typed:
        name, equals, text = each.partition("=")
        if not equals or not text:
            raise UsageError(f"the parameter {each!r} has no value", "Write name=value, such as fast=10.")
        if name not in declared:
            known = ", ".join(declared) or "none"
            raise UsageError(
                f"{strategy.__name__} has no parameter {name!r}", f"Its parameters are: {known}."
            )
        if any(name == earlier for earlier, _, _ in found):
            raise UsageError(
                f"{name} is given twice", f"Say it once: {name}=… with one value, or with commas in a sweep."
            )
        found.append((name, declared[name], text))
    return found


def _value(declared: Param[Any], text: str) -> Any:
    kind = type(declared.default)
    if kind is str:
        return text
    try:
        number = float(text)  # the strategy makes it an int where one is declared, or says why it cannot
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise UsageError(f"{declared.name}={text} is not a number", f"Use {declared.bounds()}.")
    return number


def _range(strategy: type[Rule], declared: Param[Any], text: str) -> list[Any]:
    parts = text.split(":")
    if len(parts) not in (2, 3) or isinstance(declared.default, str):
        raise UsageError(
            f"{declared.name}={text} is not a range", "Write low:high:step, such as fast=5:60:5."
        )
    low, high, step = (*(_value(declared, part) for part in parts), float(declared.step or 1))[:3]
    if step <= 0.0 or high < low:
        raise UsageError(
            f"the range {declared.name}={text} is empty", "Write low:high:step with a step above zero."
        )
    count = int((high - low) / step + 1e-9) + 1
    if count > 100_000:
        raise UsageError(f"the range {declared.name}={text} has {count:,} values", "Use a larger step.")
    return [low + number * step for number in range(count)]
