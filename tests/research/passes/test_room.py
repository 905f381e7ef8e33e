"""Memory is used again once nobody looks at it, and never before."""

import numpy as np
import polars as pl

from research.passes.room import room


def address(array: np.ndarray) -> int:  # type: ignore[type-arg]
    return int(array.ctypes.data)


def test_what_nobody_looks_at_is_used_again() -> None:
    first = room(3, 7001)
    where = address(first)
    del first
    assert address(room(7001, 3)) == where


def test_a_part_that_is_looked_at_keeps_the_whole() -> None:
    first = room(3, 7003)
    where, part = address(first), first[2, :5]
    del first
    assert address(room(3, 7003)) != where
    assert part.shape == (5,)


def test_a_column_made_of_it_keeps_it() -> None:
    values = room(7011)
    values[:] = 1.0
    column = pl.Series(values)
    where = address(values)
    del values
    other = room(7011)
    other[:] = 2.0
    assert column.sum() == 7011.0
    assert address(other) != where


def test_a_much_larger_one_is_not_handed_out_for_a_small_wish() -> None:
    large = room(900_000)
    where = address(large)
    del large
    assert address(room(9_007)) != where
