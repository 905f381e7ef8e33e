"""Each invariant that an engine can see itself, broken once; and what is only late, which is none."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.orders import OrderState
from execution.core.bucket import Bucket, Rate, take
from execution.core.invariants import Entered, RateWitness, Shown, findings

RATE = Rate(per_second=3.0, size=20.0, kept=5.0)


def ours(state: OrderState, filled: float = 0.0, reason: str = "", attempts: int = 1) -> Entered:
    return Entered(state, 10.0, filled, attempts, reason)


def theirs(state: OrderState | None, filled: float = 0.0) -> Shown:
    return Shown(state, 10.0, filled)


def found(
    entered: Entered,
    shown: Shown | None,
    unequal: Mapping[str, tuple[float, float]] | None = None,
    before: float = 0.0,
) -> list[tuple[str, str]]:
    listed = {} if shown is None else {"a": shown}
    return [
        (each.invariant, each.grace)
        for each in findings({"a": entered}, listed, unequal or {}, {"a": before})
    ]


@pytest.mark.parametrize(
    ("entered", "shown", "told"),
    [
        (ours(OrderState.ACKED), None, [("I2", "late")]),
        (ours(OrderState.PARTIAL, 3.0), None, [("I2", "late")]),
        (ours(OrderState.ABANDONED), None, [("I2", "late")]),
        (ours(OrderState.FILLED, 10.0), theirs(OrderState.FILLED, 9.0), [("I3", "late")]),
        (ours(OrderState.CANCELED), theirs(OrderState.CANCELED, 4.0), [("I3", "late")]),
        (ours(OrderState.REJECTED, reason="no"), theirs(OrderState.ACKED), [("I7", "late")]),
        (ours(OrderState.ABANDONED, reason="late"), theirs(OrderState.CANCELED), [("I7", "late")]),
        (ours(OrderState.PARTIAL, 11.0), theirs(OrderState.PARTIAL, 11.0), [("I8", "none"), ("I8", "none")]),
        (ours(OrderState.SENDING), None, [("I13", "unknown")]),
    ],
)
def test_what_does_not_hold_is_found(
    entered: Entered, shown: Shown | None, told: list[tuple[str, str]]
) -> None:
    assert found(entered, shown) == told


def test_a_filled_quantity_that_falls_is_found() -> None:
    entered, shown = ours(OrderState.PARTIAL, 3.0), theirs(OrderState.PARTIAL, 3.0)
    assert found(entered, shown, before=4.0) == [("I8", "none")]


def test_a_position_that_is_not_the_sum_of_its_fills_is_found() -> None:
    entered, shown = ours(OrderState.ACKED), theirs(OrderState.ACKED)
    assert found(entered, shown, {"AAA": (5.0, 4.0)}) == [("I4", "none")]


@pytest.mark.parametrize(
    ("entered", "shown"),
    [
        (ours(OrderState.INTENT, attempts=0), None),
        (ours(OrderState.ACKED), theirs(OrderState.ACKED)),
        (ours(OrderState.FILLED, 10.0), theirs(OrderState.FILLED, 10.0)),
        (ours(OrderState.FILLED, 10.0), None),
        (ours(OrderState.CANCELED, 4.0), theirs(None, 4.0)),
        (ours(OrderState.REJECTED, reason="no"), theirs(OrderState.REJECTED)),
        (ours(OrderState.ABANDONED, reason="expired"), None),
    ],
)
def test_what_holds_is_not_found(entered: Entered, shown: Shown | None) -> None:
    assert found(entered, shown) == []


def test_an_attempt_that_is_sent_again_is_another_unknown_order() -> None:
    names = {
        next(iter(findings({"a": ours(OrderState.SENDING, attempts=attempt)}, {}, {}, {}))).subject
        for attempt in (1, 2)
    }
    assert names == {"a attempt 1", "a attempt 2"}


@given(st.lists(st.floats(0.0, 5.0), max_size=300))
def test_the_witness_never_doubts_what_the_bucket_grants(pauses: list[float]) -> None:
    bucket, witness, now = Bucket(RATE.size, 0.0), RateWitness(RATE), 0.0
    for pause in pauses:
        now += pause
        bucket, wait_s = take(bucket, now, RATE, 0.0)
        if wait_s == 0.0:
            assert witness.granted(now)


def test_the_witness_notices_twice_the_rate() -> None:
    witness = RateWitness(RATE)
    assert not all(witness.granted(number / (2.0 * RATE.per_second)) for number in range(100))


def test_nobody_counts_where_there_is_no_rate() -> None:
    witness = RateWitness(Rate(0.0, 1.0, 0.0))
    assert all(witness.granted(0.0) for _ in range(1_000))
