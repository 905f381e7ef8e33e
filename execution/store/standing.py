"""Where the account stands, as the engine asks for it at every start, and what the engine says of itself."""

from collections.abc import Collection
from datetime import date
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from data.control import Verb
from data.limits import Limits, in_force
from data.orders import OPEN, OrderState
from execution.core.bucket import Rate
from execution.core.risk.day import Held
from execution.store.fence import Fence, Row, one_row


class Standing:
    """Questions about the account, its runs and its heartbeat."""

    def __init__(self, fence: Fence, rate: Rate) -> None:
        self._fence = fence
        self._rate = rate

    async def orders(self, states: Collection[OrderState]) -> list[Row]:
        return await self._fence.read(
            "select * from orders where account = %s and state = any(%s) order by created_at, coid",
            [self._fence.account, list(states)],
        )

    async def unfilled(self) -> list[Row]:
        """Orders of which something may still come (data.orders.unfilled)."""
        return await self._fence.read(
            "select * from orders where account = %(account)s and (state = any(%(open)s) or reported_qty > filled_qty) "
            "order by created_at, coid",
            {"account": self._fence.account, "open": list(OPEN)},
        )

    async def of_occasion(self, occasion: str) -> set[str]:
        """The orders that one command of an operator led to; counted so, across restarts."""
        rows = await self._fence.read(
            "select coid from orders where account = %s and occasion = %s", [self._fence.account, occasion]
        )
        return {row["coid"] for row in rows}

    async def take_request(self) -> float:
        """Take one request for a cancel or a question; 0, or the seconds until there is one."""
        async with self._fence.transaction() as connection:
            row = await one_row(
                connection,
                "select take_request(%s, %s, %s, 0) as wait_s",
                [self._fence.account, self._rate.per_second, self._rate.size],
            )
        assert row is not None, "a function returns a row"
        return float(row["wait_s"])

    async def halt(self, symbol: str, reason: str) -> None:
        """Nothing may be traded on it until a person says otherwise, who is not asked twice about the same."""
        async with self._fence.transaction() as connection:
            await connection.execute(
                "insert into symbol_halts (account, symbol, reason) values (%s, %s, %s) on conflict do nothing",
                [self._fence.account, symbol, reason],
            )

    async def fills_of(self, artifact_hash: str, symbols: Collection[str]) -> list[Row]:
        """The fills of one book, in the order in which they happened."""
        return await self._fence.read(
            "select f.* from fills f join orders o using (coid) where f.account = %s and o.artifact_hash = %s "
            "and f.symbol = any(%s) order by f.broker_seq nulls last, f.filled_at, f.execution_id",
            [self._fence.account, artifact_hash, list(symbols)],
        )

    async def positions(self) -> dict[str, float]:
        rows = await self._fence.read(
            "select symbol, qty from positions where account = %s and qty <> 0", [self._fence.account]
        )
        return {row["symbol"]: float(row["qty"]) for row in rows}

    async def control(self) -> Row:
        rows = await self._fence.read("select * from controls where account = %s", [self._fence.account])
        return rows[0]

    async def census(self) -> Row:
        """How much is open, unknown, queued and halted, and how much of the account's money is at work."""
        rows = await self._fence.read(
            """
            with flying as (
                select symbol, state, sent_at, (qty - filled_qty) * reference_price as worth
                from orders where account = %(account)s and state = any(%(open)s)
            ), at_work as (
                select symbol, sum(worth) as worth from (
                    select symbol, worth from flying
                    union all
                    select symbol, abs(qty) * average_entry from positions where account = %(account)s
                ) as each group by symbol
            )
            select count(*) as open,
                   count(*) filter (where state = 'INTENT') as intents,
                   count(*) filter (where state = 'SENDING') as unknown,
                   extract(epoch from clock_timestamp() - min(sent_at) filter (where state = 'SENDING'))
                       as oldest_unknown_s,
                   (select count(distinct symbol) from symbol_halts
                    where account = %(account)s and cleared_at is null) as halted,
                   (select coalesce(sum(worth), 0) from at_work) as gross,
                   (select coalesce(max(worth), 0) from at_work) as largest
            from flying
            """,
            {"account": self._fence.account, "open": list(OPEN)},
        )
        return rows[0]

    async def tell_alert(self, told: dict[str, Any]) -> None:
        """Put an alert in the outbox, where screens find it."""
        async with self._fence.transaction() as connection:
            await connection.execute("select emit_event(%s, 'alert', %s)", [self._fence.account, Jsonb(told)])

    async def heartbeat(self, status: dict[str, Any], bars: dict[int, int]) -> None:
        """Say that we live, what of, and how many bars each run has behind it."""
        async with self._fence.lease_transaction(Jsonb(status)) as connection:
            for run_id, count in bars.items():
                await connection.execute("update runs set bars = %s where id = %s", [count, run_id])

    async def verified_flat(self, revision: int) -> None:
        """The broker itself showed no position and no open order after this flatten or kill.

        A flatten is over with that, and the account paused; nothing is left that a cancel could be about.
        """
        async with self._fence.transaction() as connection:
            changed = await connection.execute(
                "update controls set verified_flat_at = clock_timestamp(), cancelled_revision = cancel_revision, "
                "mode = case mode when 'flattening' then 'paused' else mode end "
                "where account = %s and mode in ('flattening', 'killed') and revision = %s",
                [self._fence.account, revision],
            )
            if changed.rowcount:
                await self._tell_control(connection, {"verified_flat": True})

    async def cancelled(self, revision: int) -> None:
        """The broker itself showed no open order that was decided before this cancel."""
        async with self._fence.transaction() as connection:
            changed = await connection.execute(
                "update controls set cancelled_revision = %(revision)s "
                "where account = %(account)s and cancelled_revision < %(revision)s",
                {"account": self._fence.account, "revision": revision},
            )
            if changed.rowcount:
                await self._tell_control(connection, {"cancelled": True})

    async def command(self, verb: Verb, actor: str, reason: str, cause: str) -> bool:
        """What a person could say, said by an engine: once for a cause, and never instead of something stricter."""
        async with self._fence.transaction() as connection:
            row = await one_row(
                connection,
                "select give_command(%s, %s, %s, %s, %s) as answer",
                [self._fence.account, verb, actor, reason, cause],
            )
        return row is not None and row["answer"] == "done"

    async def limits(self, defaults: Limits) -> Limits:
        """The account's own."""
        rows = await self._fence.read(
            "select distinct on (name) strategy, symbol, name, value from limits "
            "where account = %s and strategy = '' and symbol = '' order by name, id desc",
            [self._fence.account],
        )
        kept = [tuple(row.values()) for row in rows if row["value"] is not None]
        return in_force(kept, "", defaults)

    async def held(self) -> list[Held]:
        """What the fills came to on every symbol ever traded."""
        rows = await self._fence.read(
            "select symbol, qty::float8 as qty, average_entry::float8 as average_entry, "
            "realised::float8 as realised from positions where account = %s order by symbol",
            [self._fence.account],
        )
        return [Held(**row) for row in rows]

    async def open_day(self, day: date, profit: float) -> float:
        """The profit with which a day began: what is given, unless somebody looked earlier that day."""
        async with self._fence.transaction() as connection:
            await connection.execute(
                "insert into trading_days (account, day, opening_profit) values (%s, %s, %s) on conflict do nothing",
                [self._fence.account, day, profit],
            )
            row = await one_row(
                connection,
                "select opening_profit from trading_days where account = %s and day = %s",
                [self._fence.account, day],
            )
        assert row is not None, "the row was inserted or stood there before"
        return float(row["opening_profit"])

    async def _tell_control(self, connection: AsyncConnection[DictRow], told: dict[str, Any]) -> None:
        await connection.execute("select emit_event(%s, 'control', %s)", [self._fence.account, Jsonb(told)])

    async def start_run(self, row: dict[str, Any]) -> Row:
        """The run with this identity: a new one, or the one that a crash interrupted."""
        columns, values = ", ".join(row), ", ".join(f"%({name})s" for name in row)
        async with self._fence.transaction() as connection:
            await connection.execute(
                f"insert into runs ({columns}) values ({values}) on conflict do nothing", row
            )
            found = await one_row(
                connection,
                "select * from runs where account = %(account)s and artifact_hash = %(artifact_hash)s "
                "and first_session = %(first_session)s and last_session = %(last_session)s",
                row,
            )
        assert found is not None, "the row was inserted or stood there before"
        return found

    async def first_session_of(self, artifact_hash: str) -> date:
        """When this artifact first traded on this account; its books begin there."""
        rows = await self._fence.read(
            "select min(first_session) as first from runs where account = %s and artifact_hash = %s",
            [self._fence.account, artifact_hash],
        )
        first: date = rows[0]["first"]
        return first

    async def finish_run(self, run_id: int, bars: int) -> None:
        async with self._fence.transaction() as connection:
            await connection.execute(
                "update runs set finished_at = clock_timestamp(), bars = %s where id = %s", [bars, run_id]
            )
            await connection.execute(
                "select emit_event(%s, 'run', %s)",
                [self._fence.account, Jsonb({"id": run_id, "finished": True})],
            )
