"""A strategy's source text, and a strategy from source text."""

import hashlib
import inspect
import linecache
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from data.errors import SlipwayError, UsageError
from execution.strategy.contract import Portfolio, Strategy
from execution.strategy.rule import Rule


def strategy_source(strategy: type[Rule]) -> str:
    """The text of the module that defines `strategy`: what an artifact carries and `load_strategy` reads."""
    module = sys.modules.get(strategy.__module__)
    kept = getattr(module, "__slipway_source__", None)
    if isinstance(kept, str):
        return kept
    if module is None or getattr(module, "__file__", None) is None:
        raise UsageError(
            f"{strategy.__name__} is defined in a notebook or a prompt, which has no source file",
            "Put it in a file of its own (%%writefile my_strategy.py) and load_strategy('my_strategy.py').",
        )
    return inspect.getsource(module)


def load_strategy(path_or_source: Path | str, name: str | None = None) -> type[Any]:
    """The Strategy or Portfolio in a file or in source text, under a private module name that shadows nothing.

    `name` says which one where the module defines several.
    """
    source, origin = _read(path_or_source)
    module_name = f"_slipway_strategy_{hashlib.sha256(source.encode()).hexdigest()[:16]}"
    module = sys.modules.get(module_name)
    if module is None:
        module = _execute(source, origin or f"<strategy {module_name[-16:]}>", module_name)
    return _pick(module, origin or "the source", name)


def _read(path_or_source: Path | str) -> tuple[str, str | None]:
    if isinstance(path_or_source, str) and "\n" in path_or_source:
        return path_or_source, None
    path = Path(path_or_source)
    try:
        return path.read_text(encoding="utf-8"), str(path)
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not text"
        raise UsageError(
            f"the strategy file {path} cannot be read: {why}",
            "Give the path of a .py file.",
        ) from None


def _execute(source: str, origin: str, module_name: str) -> ModuleType:
    module = ModuleType(module_name)
    module.__file__ = origin
    vars(module)["__slipway_source__"] = source
    # Tracebacks and compile errors show lines of sources that have no file.
    linecache.cache[origin] = (
        len(source),
        None,
        source.splitlines(keepends=True),
        origin,
    )
    sys.modules[module_name] = module
    try:
        exec(compile(source, origin, "exec"), vars(module))
    except (Exception, SystemExit) as error:
        del sys.modules[module_name]
        if isinstance(error, SlipwayError):
            raise
        line = error.lineno if isinstance(error, SyntaxError) else _line_of(error, origin)
        where = f"line {line}: " if line else ""
        raise UsageError(
            f"the strategy source {origin} cannot be loaded: {where}{type(error).__name__}: {error}",
            "Correct the strategy's source; it must import on its own.",
        ) from error
    return module


def _line_of(error: BaseException, origin: str) -> int | None:
    trace = error.__traceback__
    lines = []
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == origin:
            lines.append(trace.tb_lineno)
        trace = trace.tb_next
    return lines[-1] if lines else None


def _pick(module: ModuleType, origin: str, name: str | None) -> type[Rule]:
    found = {
        key: value
        for key, value in vars(module).items()
        if isinstance(value, type)
        and issubclass(value, (Strategy, Portfolio))
        and value.__module__ == module.__name__
    }
    known = ", ".join(found) or "none"
    if name is not None:
        if name not in found:
            raise UsageError(f"{origin} defines no strategy {name!r}", f"It defines: {known}.")
        return found[name]
    if len(found) != 1:
        raise UsageError(
            f"{origin} defines {len(found)} strategies ({known})",
            "Keep one, or say which by name.",
        )
    return next(iter(found.values()))
