"""What research has not seen stays unseen until somebody opens it, once, and says why."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest
from recorded import draft, recorded

from data import audit, holdouts
from data.errors import Refused, UsageError
from data.holdouts import Holdout
from data.postgres import connect

pytestmark = pytest.mark.usefixtures("database_url")

FIRST, LAST = date(2026, 10, 1), date(2026, 10, 30)  # after the sessions of a recorded draft


def sealed(family: str = "crossover", first: date = FIRST, last: date = LAST) -> Holdout:
    with connect() as connection:
        return holdouts.set_holdout(connection, family, first, last, who="quant")


def opened(reason: str = "research is finished", who: str = "lead", run: str | None = None) -> Holdout:
    with connect() as connection:
        return holdouts.open_holdout(connection, "crossover", reason=reason, who=who, run=run)


def touch(first: date, last: date, family: str = "crossover") -> None:
    with connect() as connection:
        holdouts.must_not_touch(connection, family, first, last)


def test_a_sealed_range_is_refused_with_the_command_that_opens_it() -> None:
    sealed()
    for first, last in [
        (FIRST, LAST),
        (date(2026, 9, 1), FIRST),
        (LAST, date(2026, 12, 1)),
        (date(2026, 10, 7), date(2026, 10, 8)),
        (date(2020, 1, 1), date(2030, 1, 1)),
    ]:
        with pytest.raises(Refused, match=r"`./slipway holdout open crossover --reason …`") as refused:
            touch(first, last)
        assert refused.value.exit_code == 3


def test_what_lies_beside_it_and_other_families_are_free() -> None:
    sealed()
    touch(date(2026, 9, 1), date(2026, 9, 30))
    touch(date(2026, 10, 31), date(2026, 12, 31))
    touch(FIRST, LAST, family="breakout")


def test_once_opened_it_is_free_and_the_first_run_that_sees_it_is_noted() -> None:
    sealed()
    assert opened().opened_by == "lead"
    touch(FIRST, LAST)
    run = recorded(draft(first=FIRST, last=LAST))
    recorded(draft(number=11, first=FIRST, last=LAST))
    with connect() as connection:
        known = holdouts.holdout_of(connection, "crossover")
    assert known is not None
    assert known.run_id == run.id


def test_it_opens_once_and_the_second_learns_who_when_and_why() -> None:
    sealed()
    first = opened()
    with pytest.raises(Refused, match=f"was opened on {first.opened_at:%Y-%m-%d %H:%M} by lead: research is"):
        opened(reason="I would like to as well", who="another")


def test_of_many_who_open_it_at_once_exactly_one_succeeds() -> None:
    sealed()

    def attempt(number: int) -> str:
        try:
            return opened(reason=f"reason {number}", who=f"person {number}").opened_by or ""
        except Refused as refused:
            return str(refused)

    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(attempt, range(16)))
    winners = [each for each in told if each.startswith("person")]
    assert len(winners) == 1
    assert all(f"by {winners[0]}: reason" in each for each in told if each not in winners)
    with connect() as connection:
        audit.verify(connection)
        actions = connection.execute("select action, actor from audit order by id").fetchall()
    assert [tuple(row.values()) for row in actions] == [
        ("set holdout", "quant"),
        ("open holdout", winners[0]),
    ]


def test_sessions_that_a_recorded_run_has_seen_can_be_no_holdout() -> None:
    run = recorded()
    with pytest.raises(Refused, match=f"crossover has seen these sessions: the backtest {run.id}"):
        sealed(first=run.last, last=LAST)
    assert sealed().is_sealed
    assert sealed("breakout", run.first, run.last).is_sealed  # which has seen nothing


def test_an_opened_holdout_is_never_a_holdout_again_but_later_sessions_are() -> None:
    sealed()
    with pytest.raises(Refused, match="is sealed already"):
        sealed(first=date(2026, 11, 1), last=date(2026, 11, 30))
    opened()
    with pytest.raises(Refused, match="is no longer unseen"):
        sealed(first=LAST, last=date(2026, 11, 30))
    later = sealed(first=date(2026, 11, 1), last=date(2026, 11, 30))
    with connect() as connection:
        assert holdouts.holdout_of(connection, "crossover") == later
        assert len(holdouts.holdouts(connection)) == 2


def test_what_makes_no_sense_is_said() -> None:
    with pytest.raises(UsageError, match="crossover has no holdout"):
        opened()
    with pytest.raises(UsageError, match=r"ends .* before it starts"):
        sealed(first=LAST, last=FIRST)
    sealed()
    with pytest.raises(UsageError, match="needs a reason"):
        opened(reason=" ")
    with pytest.raises(UsageError, match="there is no run 'abcdef'"):
        opened(run="abcdef")
    with connect() as connection:
        known = holdouts.holdout_of(connection, "crossover")
    assert known is not None
    assert known.is_sealed


def test_it_can_be_opened_for_a_recorded_run() -> None:
    run = recorded()
    sealed()
    assert opened(run=run.id[:8]).run_id == run.id
