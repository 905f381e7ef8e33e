"""A rule is a function of what it is given: no clock, no chance, no files, nothing that may change behind its back.

numba compiles some of these without a word (print, numpy.random) and others into a riddle, so the bytecode is read
first: that of the rule and of every function it calls.
"""

import builtins
import dis
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final

import numpy as np

from data.errors import UsageError

_CLOCK: Final = "asks the clock"
_CHANCE: Final = "leaves it to chance"
_OUTSIDE: Final = "reaches outside"

_MODULES: Final = {
    "time": _CLOCK, "datetime": _CLOCK, "_datetime": _CLOCK, "calendar": _CLOCK, "zoneinfo": _CLOCK,
    "random": _CHANCE, "_random": _CHANCE, "secrets": _CHANCE, "uuid": _CHANCE, "numpy.random": _CHANCE,
    "os": _OUTSIDE, "posix": _OUTSIDE, "io": _OUTSIDE, "_io": _OUTSIDE, "sys": _OUTSIDE, "pathlib": _OUTSIDE,
    "socket": _OUTSIDE, "subprocess": _OUTSIDE, "shutil": _OUTSIDE, "requests": _OUTSIDE, "httpx": _OUTSIDE,
    "urllib": _OUTSIDE, "http": _OUTSIDE, "threading": _OUTSIDE, "multiprocessing": _OUTSIDE, "logging": _OUTSIDE,
}  # fmt: skip
_BUILTINS: Final = {
    "open",
    "print",
    "input",
    "exec",
    "eval",
    "compile",
    "globals",
    "__import__",
    "breakpoint",
}

_FIX: Final = (
    "A rule may read only its arguments, constants and functions of numbers; make the rest a feature."
)


def reached_functions(function: Callable[..., Any], name: str) -> list[Callable[..., Any]]:
    """The plain Python functions that `function` calls, directly or not; refuses what a rule may not do."""
    seen: dict[FunctionType, None] = {}
    plain = _plain(function)
    _walk(plain, name, seen)
    return [each for each in seen if each is not plain]


def _walk(function: FunctionType, name: str, seen: dict[FunctionType, None]) -> None:
    seen[function] = None
    for line, said, value in _reached(function, function.__code__):
        where = f"{name}, line {line}: {said}"
        why = _impurity(value)
        if why:
            raise UsageError(f"{where} {why}", _FIX)
        if isinstance(value, (list, dict, set, bytearray, np.ndarray)):
            raise UsageError(
                f"{where} is a {type(value).__name__} that may change, while numba keeps what it is now",
                "Make it a tuple, or a feature.",
            )
        called = _plain(value)
        if isinstance(called, FunctionType) and called not in seen and not _is_library(called):
            _walk(called, f"{name}, which calls {called.__name__}", seen)


def _reached(function: FunctionType, code: CodeType) -> Iterator[tuple[int, str, Any]]:
    """(line, as written, value) of every global, enclosed variable and module attribute that the code names."""
    enclosed = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    line, said, value = code.co_firstlineno, "", None
    for each in dis.get_instructions(code):
        line = each.starts_line or line
        match each.opname:
            case "LOAD_GLOBAL":
                said = str(each.argval)
                value = function.__globals__.get(said, getattr(builtins, said, None))
            case "LOAD_DEREF" if each.argval in enclosed:
                said, value = str(each.argval), _content(enclosed[each.argval])
            case "LOAD_ATTR" | "LOAD_METHOD" if isinstance(value, (ModuleType, type)):
                said, value = f"{said}.{each.argval}", getattr(value, each.argval, None)
            case "IMPORT_NAME":
                said, value = f"import {each.argval}", __import__
            case _:
                value = None
                continue
        yield line, said, value
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _reached(function, constant)


def _impurity(value: Any) -> str:
    """What is wrong with reaching this, nothing where it is fine."""
    name = getattr(value, "__name__", "")
    if isinstance(value, ModuleType):
        home = value.__name__
    else:
        bound = getattr(value, "__self__", None)
        home = getattr(value, "__module__", None) or ""
        if bound is not None and not isinstance(bound, (ModuleType, type)):
            home = type(bound).__module__
        if home == "builtins" or getattr(builtins, name, None) is value:
            return _OUTSIDE if name in _BUILTINS else ""
        if type(value).__module__ == "numba.core.withcontexts":  # objmode and its like
            return "leaves compiled code"
    parts = home.split(".")
    return _MODULES.get(".".join(parts[:2])) or _MODULES.get(parts[0]) or ""


def _plain(value: Any) -> Any:
    return getattr(value, "py_func", value)  # the function behind a numba dispatcher


def _is_library(function: FunctionType) -> bool:
    return (function.__module__ or "").split(".")[0] in ("numpy", "numba", "math", "execution")


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not assigned yet
        return None
