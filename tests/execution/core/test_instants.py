"""Bars of one instant come together, whole or after a while, oldest first."""

from hypothesis import given
from hypothesis import strategies as st

from data.bar import Bar
from execution.core.instants import Instants

SYMBOLS = ("AAA", "BBB", "CCC")


def bar(symbol: str, ts_us: int) -> Bar:
    return Bar(symbol, "1m", ts_us, 1.0, 1.0, 1.0, 1.0, 1.0)


def test_an_instant_is_whole_when_all_that_were_said_are_there() -> None:
    instants = Instants(SYMBOLS, 1.0)
    assert instants.add(bar("BBB", 60), 2, 0.0) == []
    assert instants.add(bar("AAA", 60), 2, 0.0) == [[bar("AAA", 60), bar("BBB", 60)]]
    assert instants.wait_s(0.0) is None


def test_where_nobody_says_how_many_everybody_is_waited_for_and_not_for_ever() -> None:
    instants = Instants(SYMBOLS, 1.0)
    assert instants.add(bar("AAA", 60), 0, 10.0) == []
    assert instants.add(bar("CCC", 60), 0, 10.5) == []
    assert instants.wait_s(10.75) == 0.25
    assert instants.due(10.9) == []
    assert instants.due(11.0) == [[bar("AAA", 60), bar("CCC", 60)]]


def test_a_later_instant_that_is_whole_ends_the_wait_for_an_earlier_one() -> None:
    instants = Instants(SYMBOLS, 1.0)
    instants.add(bar("AAA", 60), 0, 0.0)
    for symbol in ("CCC", "BBB"):
        assert instants.add(bar(symbol, 120), 0, 0.1) == []
    assert instants.add(bar("AAA", 120), 0, 0.1) == [
        [bar("AAA", 60)],
        [bar("AAA", 120), bar("BBB", 120), bar("CCC", 120)],
    ]


@given(st.permutations([(symbol, ts_us) for symbol in SYMBOLS for ts_us in (60, 120, 180)]))
def test_nothing_is_lost_nothing_is_doubled_and_time_never_goes_back(order: list[tuple[str, int]]) -> None:
    instants = Instants(SYMBOLS, 1.0)
    taken = [instant for symbol, ts_us in order for instant in instants.add(bar(symbol, ts_us), 0, 0.0)]
    taken += instants.due(1.0)
    told = [(each.symbol, each.ts_us) for instant in taken for each in instant]
    assert sorted(told) == sorted(order)
    assert all(len({each.ts_us for each in instant}) == 1 for instant in taken)
