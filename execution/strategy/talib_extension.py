"""TA-Lib's compiled functions, loaded without dragging pandas into a trading process.

`import talib` imports pandas whenever it is installed, only to accept its Series: 0.6 s and 60 MB that an
engine never uses.  We hand it numpy arrays.  Where pandas or a notebook is already there, talib is imported
whole, because the person may give it a Series.
"""

import sys
from functools import cache
from types import ModuleType


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
