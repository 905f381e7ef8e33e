"""Memory that is used again: the first touch of a fresh page costs more than most of what is written to it.

A buffer is free when nobody but this list refers to it; numpy's views all refer to the buffer they are a view of.
"""

import math
import sys
import threading
from typing import Final

import numpy as np

from execution.strategy.arrays import FloatArray

KEPT_MAX_BYTES: Final = 256 * 2**20
"""Larger rooms are given back to the system."""

_FREE: Final = 2  # references: the list's and the question's own
_kept: list[FloatArray] = []
_lock = threading.Lock()


def room(*shape: int) -> FloatArray:
    """An array of this shape with anything in it."""
    wanted = math.prod(shape)
    with _lock:
        # The smallest that is large enough, unless most of it would lie idle.
        fitting = [each for each in range(len(_kept)) if wanted <= _kept[each].size <= 2 * wanted + 1024]
        for place in sorted(fitting, key=lambda each: _kept[each].size):
            if sys.getrefcount(_kept[place]) == _FREE:
                return _kept[place][:wanted].reshape(shape)
        made = np.empty(wanted)
        if made.nbytes <= KEPT_MAX_BYTES:
            _keep(made)
        return made[:].reshape(shape)


def _keep(made: FloatArray) -> None:
    """Remember it, and forget the oldest that nobody uses while there is too much."""
    _kept.append(made)
    place = 0
    while sum(each.nbytes for each in _kept) > KEPT_MAX_BYTES and place < len(_kept) - 1:
        if sys.getrefcount(_kept[place]) == _FREE:
            del _kept[place]
        else:
            place += 1
