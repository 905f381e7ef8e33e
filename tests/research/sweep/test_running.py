"""Work is dealt out once, whole, in chunks of a quarter of a second."""

import threading

from hypothesis import given
from hypothesis import strategies as st

from research.sweep.parts import missing
from research.sweep.running import Pace, stoppable


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(1, 40)), max_size=5),
    st.integers(1, 8),
    st.integers(1, 10**9),
    st.floats(0.0, 10.0),
)
def test_every_set_is_dealt_out_once(
    gaps: list[tuple[int, int]], workers: int, bars: int, seconds: float
) -> None:
    todo, at = [], 0
    for gap, length in gaps:
        todo.append(slice(at + gap, at + gap + length))
        at += gap + length
    pace, dealt = Pace(todo, workers, bars, 0.25), []
    lost_once = False
    while chunk := pace.next():
        if len(dealt) == 3 and not lost_once:
            lost_once = True
            pace.put_back(chunk)
            continue
        dealt += range(chunk.start, chunk.stop)
        pace.took(chunk.stop - chunk.start, seconds)
    assert sorted(dealt) == [each for run in todo for each in range(run.start, run.stop)]


def test_chunks_grow_when_sets_are_fast_and_shrink_when_they_are_slow() -> None:
    pace = Pace([slice(0, 1_000_000)], 2, 1_000_000, 0.25)
    first = pace.next()
    assert first == slice(0, 100)
    pace.took(100, 0.001)
    faster = pace.next()
    assert faster is not None
    assert faster.stop - faster.start == 400
    pace.took(400, 40.0)
    slower = pace.next()
    assert slower is not None
    assert slower.stop - slower.start == 2


@given(st.sets(st.integers(0, 60)))
def test_what_is_missing_is_what_is_not_done(done: set[int]) -> None:
    runs = missing(61, [slice(each, each + 1) for each in sorted(done)])
    assert {each for run in runs for each in range(run.start, run.stop)} == set(range(61)) - done


def test_a_sweep_beside_the_main_thread_leaves_ctrl_c_alone() -> None:
    asked: list[bool] = []

    def beside() -> None:
        with stoppable() as stop:
            asked.append(stop.requested)

    thread = threading.Thread(target=beside)
    thread.start()
    thread.join()
    assert asked == [False]
