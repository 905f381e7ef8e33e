"""BLAS and LAPACK for what numba compiles, without the rest of scipy.linalg.

When numba first compiles or loads anything, it looks for these two modules, and a module brings its whole package:
15 MB and a tenth of a second or more, for a `decide` that multiplies no matrices.
"""

import sys
from types import ModuleType


def load_blas() -> None:
    """Load the two where scipy is installed, by a package that holds nothing else while they load."""
    if "scipy.linalg" in sys.modules:
        return
    try:
        import scipy
    except ModuleNotFoundError:  # then numba does without
        return
    package = ModuleType("scipy.linalg")
    package.__path__ = [f"{scipy.__path__[0]}/linalg"]
    sys.modules["scipy.linalg"] = package
    try:
        import scipy.linalg.cython_blas
        import scipy.linalg.cython_lapack
    finally:
        del sys.modules["scipy.linalg"]
