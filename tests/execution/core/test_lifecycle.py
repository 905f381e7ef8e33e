"""The one state machine of an order: a lattice that no order of messages can break."""

from hypothesis import given
from hypothesis import strategies as st

from data.orders import TERMINAL, OrderState
from execution.core.lifecycle import (
    BROKER_STATES,
    Accepted,
    Duplicate,
    Rejected,
    Unknown,
    after_outcome,
    after_report,
)

STATES = st.sampled_from(sorted(OrderState))
TOLD = st.sampled_from(sorted(set(BROKER_STATES.values())))


def test_a_definite_no_is_believed_only_at_the_first_attempt() -> None:
    assert after_outcome(Rejected("no"), attempts=1) is OrderState.REJECTED
    assert after_outcome(Rejected("no"), attempts=2) is OrderState.SENDING


def test_what_is_unknown_stays_unknown() -> None:
    assert after_outcome(Unknown("timeout"), attempts=1) is OrderState.SENDING
    assert after_outcome(Duplicate(), attempts=1) is OrderState.SENDING
    assert after_outcome(Accepted("id"), attempts=3) is OrderState.ACKED


def test_a_fill_after_canceled_is_legal() -> None:
    assert after_report(OrderState.CANCELED, OrderState.FILLED, 10, 10) is OrderState.FILLED


def test_the_broker_brings_back_what_we_had_given_up() -> None:
    assert after_report(OrderState.ABANDONED, OrderState.ACKED, 0, 10) is OrderState.ACKED
    assert after_report(OrderState.REJECTED, OrderState.PARTIAL, 4, 10) is OrderState.PARTIAL


def test_an_older_message_that_comes_late_does_not_bring_back_what_the_broker_itself_rejected() -> None:
    assert after_report(OrderState.REJECTED, OrderState.ACKED, 0, 10, known=True) is OrderState.REJECTED


@given(STATES, TOLD, st.floats(0, 10))
def test_an_order_never_goes_back_unless_the_broker_overrules_us(
    state: OrderState, told: OrderState, filled: float
) -> None:
    after = after_report(state, told, filled, 10.0)
    if filled >= 10.0:
        assert after is OrderState.FILLED
    elif state in TERMINAL - {OrderState.ABANDONED, OrderState.REJECTED}:
        assert after is state
    assert after not in (OrderState.INTENT, OrderState.SENDING) or after is state


@given(STATES, TOLD, st.floats(0, 10))
def test_hearing_the_same_thing_twice_changes_nothing(
    state: OrderState, told: OrderState, filled: float
) -> None:
    once = after_report(state, told, filled, 10.0)
    assert after_report(once, told, filled, 10.0) is once
