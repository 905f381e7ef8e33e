"""What people tell engines: durable, in the audit log, and never held up by it."""

import pytest

from data import audit, control, ledger, trail
from data.errors import Refused, Unavailable, UsageError
from data.postgres import connect

pytestmark = pytest.mark.usefixtures("database_url", "redis_url")


@pytest.fixture(autouse=True)
def accounts(database_url: str) -> None:
    with connect() as connection:
        for name in ("older", "newer"):
            control.ensure_account(connection, name, "sim", 1000.0)


def beats(account: str) -> None:
    with connect() as connection:
        connection.execute(
            "update lease set holder = 'desk:1', heartbeat_at = clock_timestamp() where account = %s",
            [account],
        )


def test_every_change_of_mode_is_a_row_of_the_audit_chain() -> None:
    control.give("older", "pause", actor="ann", reason="lunch")
    control.give("older", "resume", actor="ann", reason="back")
    control.give("older", "kill", actor="bob", reason="fire")
    with connect() as connection:
        assert audit.verify(connection) == 3
        rows = connection.execute("select actor, action, subject, detail from audit order by id").fetchall()
    assert [tuple(row.values()) for row in rows] == [
        ("ann", "pause", "older", {"reason": "lunch"}),
        ("ann", "resume", "older", {"reason": "back"}),
        ("bob", "kill", "older", {"reason": "fire"}),
    ]


@pytest.mark.full
def test_whoever_holds_the_audit_log_does_not_hold_up_a_kill() -> None:
    with connect() as holder:
        holder.execute("select pg_advisory_xact_lock(%s)", [audit.AUDIT_LOCK])
        assert control.give("older", "cancel", actor="bob", reason="fire").mode == "running"
        assert control.give("older", "kill", actor="bob", reason="fire").mode == "killed"
        with pytest.raises(Unavailable, match="nothing was changed"):
            control.give("older", "resume", actor="bob", reason="again")
    with connect() as connection:
        assert control.get_control(connection, "older").mode == "killed"
        assert audit.verify(connection) == 0
    assert (trail.enter("older"), trail.enter("older")) == (2, 0), "each is entered later, once"
    with connect() as connection:
        assert audit.verify(connection) == 2
        actions = connection.execute("select action from audit order by id").fetchall()
    assert [row["action"] for row in actions] == ["cancel", "kill"]


@pytest.mark.parametrize("verb", ["pause", "cancel", "flatten"])
@pytest.mark.parametrize("stricter", ["flatten", "kill"])
def test_what_does_less_does_not_take_the_place_of_what_does_more(
    verb: control.Verb, stricter: control.Verb
) -> None:
    before = control.give("older", stricter, actor="ann", reason="fire")
    with pytest.raises(Refused, match=f"older is {before.mode}, which does more than a {verb} would"):
        control.give("older", verb, actor="bob", reason="less")
    with connect() as connection:
        assert control.get_control(connection, "older") == before


def test_a_cancel_leaves_the_mode_and_its_reason() -> None:
    control.give("older", "pause", actor="ann", reason="lunch")
    now = control.give("older", "cancel", actor="bob", reason="wrong price")
    assert (now.mode, now.actor, now.reason) == ("paused", "ann", "lunch")
    assert (now.revision, now.cancel_revision, now.cancelled_revision) == (2, 2, 0)


def halted(symbol: str, reason: str) -> None:
    with connect() as connection:
        connection.execute(
            "insert into symbol_halts (account, symbol, reason) values ('older', %s, %s) on conflict do nothing",
            [symbol, reason],
        )


def test_a_halt_that_somebody_cleared_comes_back_only_for_another_reason() -> None:
    halted("AAA", "the broker has x")
    halted("AAA", "the broker holds +5")
    cleared = control.clear_halts("older", "AAA", actor="ann", reason="mine, by hand")
    assert sorted(cleared) == ["the broker has x", "the broker holds +5"]
    halted("AAA", "the broker has x")
    with connect() as connection:
        assert control.halts(connection, "older") == []
    halted("AAA", "the broker has y")
    with connect() as connection:
        assert [row["reason"] for row in control.halts(connection, "older")] == ["the broker has y"]
        told = connection.execute("select actor, action, detail->>'reason' as why from audit").fetchall()
    assert [tuple(row.values()) for row in told] == [("ann", "clear halt", "mine, by hand")]
    with pytest.raises(UsageError, match="BBB is not halted on older"):
        control.clear_halts("older", "BBB", actor="ann", reason="why not")


def test_the_account_that_trades_is_the_one_that_is_meant() -> None:
    with connect() as connection:
        assert ledger.known_account(connection, None) == "newer"
    beats("older")
    with connect() as connection:
        assert ledger.known_account(connection, None) == "older"


def test_of_two_accounts_that_trade_none_is_guessed_for_a_kill() -> None:
    beats("older")
    beats("newer")
    with connect() as connection:
        assert ledger.known_account(connection, None) == "newer"
        with pytest.raises(UsageError, match="Add --account newer or older"):
            ledger.known_account(connection, None, to_act=True)
        assert ledger.known_account(connection, "older", to_act=True) == "older"


def test_a_user_without_a_name_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.getuid", lambda: 4_000_000_000)
    assert audit.person() == "uid-4000000000"


def test_an_account_stays_with_the_broker_that_it_was_opened_at() -> None:
    with connect() as connection:
        control.ensure_account(connection, "older", "sim", 5.0)
        with pytest.raises(Refused, match="older trades at sim, and SLIPWAY_BROKER is alpaca-live"):
            control.ensure_account(connection, "older", "alpaca-live", 1000.0)
