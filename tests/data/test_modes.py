"""What people tell engines: durable, in the audit log, and never held up by it."""

import pytest

from data import audit, control, ledger
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
    control.set_mode("older", "paused", actor="ann", reason="lunch")
    control.set_mode("older", "running", actor="ann", reason="back")
    control.set_mode("older", "killed", actor="bob", reason="fire")
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
        assert control.set_mode("older", "killed", actor="bob", reason="fire").mode == "killed"
        with pytest.raises(Unavailable, match="nothing was changed"):
            control.set_mode("older", "running", actor="bob", reason="again")
    with connect() as connection:
        assert control.get_control(connection, "older").mode == "killed"


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
