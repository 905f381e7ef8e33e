"""TA-Lib's compiled functions, loaded without dragging pandas into a trading process.

`import talib` imports pandas whenever it is installed, only to accept its Series: 0.6 s and 60 MB that an
engine never uses.  We hand it numpy arrays.  Where pandas or a notebook is already there, talib is imported
whole, because the person may give it a Series.
"""

import ctypes
import sys
from collections.abc import Callable, Sequence
from functools import cache
from types import ModuleType

import numpy as np

from execution.strategy.arrays import FloatArray


@cache
def ta_lib() -> ModuleType:
    """The extension module with the batch functions (`SMA`) and the incremental handles (`SMA_Stream`)."""
    hide_pandas = "pandas" not in sys.modules and "IPython" not in sys.modules and "talib" not in sys.modules
    if hide_pandas:
        sys.modules["pandas"] = None  # type: ignore[assignment]  # the import system's way to say "not installed"
    try:
        import talib._ta_lib
    finally:
        if hide_pandas:
            del sys.modules["pandas"]
    return talib._ta_lib


def write(function: str, columns: Sequence[FloatArray], period: int, out: FloatArray) -> None:
    """What the extension's function of one period returns, written into `out`.

    The C function is called without the extension around it, which takes memory for every answer and lets no other
    thread run meanwhile.
    """
    columns = [np.ascontiguousarray(column, dtype=np.float64) for column in columns]
    length = len(out)
    first = max(_first_number(column) for column in columns)
    begin, count = ctypes.c_int(), ctypes.c_int()
    called, lookback = _c_function(function, len(columns))
    known = min(length, first + lookback(period))
    out[:known] = np.nan
    if known == length:
        return
    code = called(
        0,
        length - first - 1,
        *(column.ctypes.data + 8 * first for column in columns),
        period,
        ctypes.byref(begin),
        ctypes.byref(count),
        out.ctypes.data + 8 * known,
    )
    assert (code, begin.value, count.value) == (0, known - first, length - known), f"TA_{function}: {code}"


def _first_number(column: FloatArray) -> int:
    """Where a column begins, which may be NaN at its start but nowhere else."""
    if not len(column) or column[0] == column[0]:
        return 0
    known = ~np.isnan(column)
    return int(np.argmax(known)) if known.any() else len(column)


@cache
def _c_function(function: str, columns: int) -> tuple[Callable[..., int], Callable[[int], int]]:
    library = ctypes.CDLL(ta_lib().__file__)  # finds what the extension itself is linked with
    called, lookback = getattr(library, f"TA_{function}"), getattr(library, f"TA_{function}_Lookback")
    number, address = ctypes.c_int, ctypes.c_void_p
    called.argtypes = [number, number, *[address] * columns, number, address, address, address]
    lookback.argtypes = [number]
    return called, lookback
