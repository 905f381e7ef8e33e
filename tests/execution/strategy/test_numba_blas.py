"""Rules may multiply matrices, and whoever multiplies none does not pay for it."""

import subprocess
import sys

import pytest

PROGRAM = """
import sys
import numpy as np
import execution.strategy.compiled
import numba

assert numba.njit(lambda x: x + 1.0)(1.0) == 2.0
print("scipy.linalg" in sys.modules)
square = 2.0 * np.eye(2)
print(numba.njit(lambda a, b: np.linalg.solve(a, b) @ b)(square, np.ones(2)))

import scipy.linalg

print(scipy.linalg.solve(square, np.ones(2)) @ np.ones(2))
import scipy.optimize, scipy.stats
from scipy.linalg import cython_blas, cython_lapack
print(cython_blas.__name__, cython_lapack.__name__)
"""


@pytest.mark.full
def test_compiled_code_has_its_matrices_and_scipy_stays_whole() -> None:
    told = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True).stdout
    names = "scipy.linalg.cython_blas scipy.linalg.cython_lapack"
    assert told.splitlines() == ["False", "1.0", "1.0", names]
