"""A disk cache for kernels that are generic over the user's code.

numba's cache key ignores what a function calls: an edited `decide`, or an edited sizing rule, would go on running
from a stale file.  Here the key is a hash of everything the kernel reaches, so that a first sweep in a fresh
process loads machine code in a moment and never the wrong one.
"""

import hashlib
import inspect
import math
from collections.abc import Iterable, Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy
from numba.core.caching import FunctionCache


class _Unfollowable(Exception):
    """The code reaches something whose content cannot be hashed."""


class _FingerprintCache(FunctionCache):
    def __init__(self, py_func: Any, fingerprint: str) -> None:
        super().__init__(py_func)
        self._fingerprint = fingerprint

    def _index_key(self, sig: Any, codegen: Any) -> Any:
        return (sig, codegen.magic_tuple(), self._fingerprint)


def cache_on_disk(kernel: Any, depends_on: Iterable[Any]) -> None:
    """Keep the machine code of the dispatcher `kernel` across processes.

    `depends_on`: functions (followed through what they call), modules (their whole source) and plain values.
    Where one cannot be followed the kernel is simply compiled anew in each process.
    """
    digest = hashlib.sha256()
    try:
        for part in depends_on:
            for piece in _pieces(part, set()):
                digest.update(piece.encode() + b"\0")
        kernel._cache = _FingerprintCache(kernel.py_func, digest.hexdigest())
    except (_Unfollowable, OSError, RuntimeError):  # RuntimeError: numba finds no folder it may write
        return


def _pieces(value: Any, seen: set[int]) -> Iterator[str]:
    value = getattr(value, "py_func", value)  # the function behind a dispatcher
    if id(value) in seen:
        return
    seen.add(id(value))
    home = getattr(value, "__module__", None) or ""
    if isinstance(value, FunctionType):
        yield from _code(value.__code__)
        for cell in value.__closure__ or ():
            yield from _pieces(cell.cell_contents, seen)
        for name in sorted(_names(value.__code__)):
            if name in value.__globals__:
                yield name
                yield from _pieces(value.__globals__[name], seen)
    elif value is math or value is numpy:
        yield value.__name__
    elif isinstance(value, ModuleType):
        if not home and not value.__name__.startswith(("execution.", "research.")):
            raise _Unfollowable
        yield inspect.getsource(value)
    elif isinstance(value, (bool, int, float, str, bytes, tuple, type(None))):
        yield repr(value)
    elif home in ("builtins", "math") or home.split(".")[0] == "numpy":
        yield f"{home}.{getattr(value, '__name__', value)}"
    else:
        raise _Unfollowable


def _code(code: CodeType) -> Iterator[str]:
    yield code.co_code.hex()
    yield repr((code.co_names, code.co_varnames, code.co_freevars))
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _code(constant)
        else:
            yield repr(constant)


def _names(code: CodeType) -> set[str]:
    nested = [_names(constant) for constant in code.co_consts if isinstance(constant, CodeType)]
    return set(code.co_names).union(*nested)
