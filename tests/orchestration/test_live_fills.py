"""Fills reach Dagster through a sensor that tells of each once."""

import json
from datetime import UTC, datetime

from dagster import AssetKey, AssetObservation, DagsterInstance, SensorResult, build_sensor_context

from data.postgres import connect
from orchestration.sensors import watch_fills

AT = datetime(2026, 10, 1, 14, 30, tzinfo=UTC)


def test_fills_are_observed_once_and_with_their_counts(database_url: str) -> None:
    trade("paper-1", 2)
    trade("paper-2", 1)

    first = looked(None)

    [event] = first.asset_events
    assert isinstance(event, AssetObservation)
    assert event.asset_key == AssetKey("live_fills")
    assert {name: event.metadata[name].value for name in ("accounts", "new_fills", "fills")} == {
        "accounts": 2, "new_fills": 3, "fills": 3,
    }  # fmt: skip
    assert event.metadata["last_fill"].value == AT.timestamp()
    assert not looked(first.cursor).asset_events


def test_only_the_account_that_traded_since_is_told_of(database_url: str) -> None:
    trade("paper-1", 2)
    trade("paper-2", 1)
    before = looked(None)
    trade("paper-2", 1)

    [event] = looked(before.cursor).asset_events

    assert {name: event.metadata[name].value for name in ("accounts", "new_fills", "fills")} == {
        "accounts": 1, "new_fills": 1, "fills": 2,
    }  # fmt: skip


def test_orders_without_fills_move_the_cursor_and_say_nothing(database_url: str) -> None:
    trade("paper-1", 0)

    result = looked(None)

    assert not result.asset_events
    assert json.loads(result.cursor or "") == {"paper-1": 1}
    assert result.skip_reason


def looked(cursor: str | None) -> SensorResult:
    with DagsterInstance.ephemeral() as instance, build_sensor_context(instance, cursor=cursor) as context:
        result = watch_fills(context)
    assert isinstance(result, SensorResult)
    return result


def trade(account: str, fills: int) -> None:
    """An order of this account, and as many fills of it, as the execution service enters them."""
    with connect() as connection:
        connection.execute(
            "insert into accounts (name, broker, cash) values (%s, 'sim', 1000) on conflict do nothing",
            [account],
        )
        row = connection.execute("select count(*) as n from orders").fetchone()
        coid = f"order-{row and row['n']}"
        connection.execute(
            "insert into orders (coid, account, decision_key, state, strategy, symbol, side, qty, bar_ts_utc,"
            " reference_price, body_hash, expires_at, decided_at, artifact_hash)"
            " values (%(coid)s, %(account)s, %(coid)s, 'ACKED', 'crossover', 'AAA', 'buy', 10, %(at)s, 100, 'x',"
            " %(at)s, %(at)s, 'hash')",
            {"coid": coid, "account": account, "at": AT},
        )
        connection.execute("select emit_event(%s, 'order', '{}')", [account])
        for number in range(fills):
            connection.execute(
                "insert into fills (account, execution_id, coid, symbol, side, qty, price, filled_at, heard_by)"
                " values (%s, %s, %s, 'AAA', 'buy', 1, 100, %s, 'stream')",
                [account, f"{coid}-{number}", coid, AT],
            )
            connection.execute("select emit_event(%s, 'fill', '{}')", [account])
