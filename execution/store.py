"""The ledger in Postgres, as the engine writes it.  Every write is fenced by the lease's epoch.

A write under an epoch that is no longer ours raises Fenced, and the process must go.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from data.control import Mode
from data.errors import Corrupt, Refused
from data.orders import OrderState
from data.postgres import Connections
from execution.broker import BrokerFill, BrokerOrder
from execution.core.intents import Intent
from execution.core.lifecycle import after_report
from execution.core.risk import Exposure, Limits, reduces, refusal

Row = dict[str, Any]

_OPEN = "('INTENT', 'SENDING', 'ACKED', 'PARTIAL')"
_HOLDER = "select epoch, holder from lease where account = %s"


class Fenced(Refused):
    """Another engine has taken the account over."""


def instant(us: int) -> datetime:
    return datetime.fromtimestamp(us / 1e6, UTC)


class Store:
    """One account's rows, written under one epoch."""

    def __init__(self, pool: Connections, account: str, epoch: int) -> None:
        self._pool = pool
        self.account = account
        self.epoch = epoch
        self.written = asyncio.Event()  # set after every commit that screens may want to hear of

    # -- intents (protocol steps 2 and 4)

    async def write_intent(self, intent: Intent, limits: Limits, ttl_s: float) -> str | None:
        """Make an intent durable unless a limit forbids it; returns the limit's sentence then.

        Writing the same intent again changes nothing; the same coid with another body halts.
        """
        async with self._fenced() as connection:
            mode, exposure = await self._situation(connection, intent)
            known = await _one(connection, "select body_hash from orders where coid = %s", [intent.coid])
            if known is not None:
                if known["body_hash"] != intent.body_hash:
                    raise Corrupt(
                        f"the decision {intent.decision_key} was made twice, differently",
                        "Stop trading this strategy and compare its inputs: decisions must be deterministic.",
                    )
                return None
            refused = refusal(intent, exposure, limits, mode)
            now = datetime.now(UTC)
            row = {
                "coid": intent.coid,
                "account": intent.account,
                "decision_key": intent.decision_key,
                "state": OrderState.ABANDONED if refused else OrderState.INTENT,
                "reason": f"refused: {refused}" if refused else "",
                "artifact_hash": intent.artifact_hash,
                "strategy": intent.strategy,
                "symbol": intent.symbol,
                "side": intent.side,
                "qty": repr(intent.qty),
                "reduces": reduces(intent, exposure),
                "target": intent.target,
                "bar_ts_utc": instant(intent.bar_ts_us),
                "reference_price": repr(intent.reference_price),
                "body_hash": intent.body_hash,
                "expires_at": now + timedelta(seconds=ttl_s),
                "decided_at": instant(intent.decided_at_us),
            }
            columns, values = ", ".join(row), ", ".join(f"%({name})s" for name in row)
            await connection.execute(f"insert into orders ({columns}) values ({values})", row)
            await self._tell(connection, "order", intent.coid)
        return refused

    async def claim(self, coid: str) -> Row | None:
        """INTENT → SENDING under our epoch; None when it may not (or no longer) be sent.

        The mode is read again here: no order that increases risk is claimed after a pause or a kill.
        """
        async with self._fenced() as connection:
            row = await _one(
                connection,
                "update orders set state = 'SENDING', epoch = %s, attempts = attempts + 1, "
                "sent_at = clock_timestamp(), updated_at = clock_timestamp() "
                "where coid = %s and state = 'INTENT' and expires_at > clock_timestamp() and (reduces or "
                "(select mode from controls where account = orders.account) = 'running') returning *",
                [self.epoch, coid],
            )
            if row is not None:
                await self._tell(connection, "order", coid)
        return row

    async def claim_again(self, coid: str) -> Row | None:
        """One more attempt at an order that stayed absent at the broker through the quarantine."""
        async with self._fenced() as connection:
            return await _one(
                connection,
                "update orders set epoch = %s, attempts = attempts + 1, sent_at = clock_timestamp(), "
                "updated_at = clock_timestamp() where coid = %s and state = 'SENDING' "
                "and expires_at > clock_timestamp() returning *",
                [self.epoch, coid],
            )

    async def give_up(self, coid: str, reason: str) -> None:
        """An order that expired before it was known at the broker; reconciliation still watches it."""
        await self._end(coid, OrderState.ABANDONED, reason)

    async def ack(self, coid: str, broker_id: str) -> None:
        """The broker has it.  The stream may have told us more already; that stands."""
        async with self._fenced() as connection:
            changed = await connection.execute(
                "update orders set broker_id = %s, acked_at = coalesce(acked_at, clock_timestamp()), "
                "updated_at = clock_timestamp(), state = case when state = 'SENDING' then 'ACKED' else state end "
                "where coid = %s and (broker_id is null or state = 'SENDING')",
                [broker_id, coid],
            )
            if changed.rowcount:
                await self._tell(connection, "order", coid)

    async def reject(self, coid: str, reason: str) -> None:
        await self._end(coid, OrderState.REJECTED, reason)

    # -- what the broker says (protocol steps 6 and 8)

    async def apply_order(self, order: BrokerOrder) -> Row | None:
        """Take in the broker's view of an order; None when it is not one of ours."""
        async with self._fenced() as connection:
            row = await self._lock_order(connection, order.coid)
            if row is None:
                return None
            if order.state is None:
                await self._keep_raw(connection, repr(order), f"unknown status {order.status!r}")
                return row
            state = after_report(
                OrderState(row["state"]), order.state, float(row["filled_qty"]), float(row["qty"])
            )
            if state != row["state"] or row["broker_id"] is None:
                await connection.execute(
                    "update orders set state = %s, broker_id = %s, reason = '', "
                    "acked_at = coalesce(acked_at, clock_timestamp()), updated_at = clock_timestamp() "
                    "where coid = %s",
                    [state, order.broker_id, order.coid],
                )
                await self._tell(connection, "order", order.coid)
                row = await self._lock_order(connection, order.coid)
        return row

    async def apply_fill(self, fill: BrokerFill, heard_by: str) -> Row | None:
        """Enter an execution once.  Returns its order when it was new; the same fill again changes nothing."""
        async with self._fenced() as connection:
            order = await self._lock_order(connection, fill.coid)
            if order is None:
                await self._keep_raw(connection, repr(fill), "a fill for an order that we did not send")
                return None
            new = await connection.execute(
                "insert into fills (account, execution_id, coid, symbol, side, qty, price, commission, "
                "broker_seq, bar_ts_utc, filled_at, heard_by) "
                "values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) on conflict do nothing",
                [
                    self.account, fill.execution_id, fill.coid, fill.symbol, fill.side, fill.qty, fill.price,
                    fill.commission, fill.seq, instant(fill.bar_ts_us) if fill.bar_ts_us else None,
                    fill.filled_at, heard_by,
                ],
            )  # fmt: skip
            if new.rowcount == 0:
                return None
            filled = order["filled_qty"] + type(order["filled_qty"])(fill.qty)
            told = OrderState.PARTIAL if filled < order["qty"] else OrderState.FILLED
            state = after_report(OrderState(order["state"]), told, float(filled), float(order["qty"]))
            await connection.execute(
                "update orders set filled_qty = %s, state = %s, acked_at = coalesce(acked_at, clock_timestamp()), "
                "updated_at = clock_timestamp() where coid = %s",
                [filled, state, fill.coid],
            )
            await self._move_position(connection, fill)
            await self._tell(connection, "fill", fill.coid, fill.execution_id)
            await self._tell(connection, "order", fill.coid)
        return order

    async def keep_raw(self, payload: str, problem: str) -> None:
        async with self._fenced() as connection:
            await self._keep_raw(connection, payload, problem)

    # -- questions

    async def orders(self, states: str = _OPEN) -> list[Row]:
        return await self._all(
            f"select * from orders where account = %s and state in {states}", [self.account]
        )

    async def intents_older_than(self, age_s: float) -> list[Row]:
        return await self._all(
            "select * from orders where account = %s and state = 'INTENT' "
            "and created_at < clock_timestamp() - make_interval(secs => %s) order by created_at",
            [self.account, age_s],
        )

    async def fills_of(self, artifact_hash: str, symbol: str) -> list[Row]:
        """The fills of one book, in the order in which they happened."""
        return await self._all(
            "select f.* from fills f join orders o using (coid) where f.account = %s and o.artifact_hash = %s "
            "and f.symbol = %s order by f.broker_seq nulls last, f.filled_at, f.execution_id",
            [self.account, artifact_hash, symbol],
        )

    async def known_executions(self) -> set[str]:
        rows = await self._all("select execution_id from fills where account = %s", [self.account])
        return {row["execution_id"] for row in rows}

    async def order_states(self) -> dict[str, OrderState]:
        rows = await self._all("select coid, state from orders where account = %s", [self.account])
        return {row["coid"]: OrderState(row["state"]) for row in rows}

    async def positions(self) -> dict[str, float]:
        rows = await self._all(
            "select symbol, qty from positions where account = %s and qty <> 0", [self.account]
        )
        return {row["symbol"]: float(row["qty"]) for row in rows}

    async def control(self) -> Row:
        rows = await self._all("select * from controls where account = %s", [self.account])
        return rows[0]

    # -- the engine's own state

    async def heartbeat(self, status: dict[str, Any], bars: dict[int, int]) -> None:
        """Say that we live, what of, and how many bars each run has behind it."""
        async with self._pool.transaction() as connection:
            row = await _one(
                connection,
                "update lease set heartbeat_at = clock_timestamp(), status = %s where account = %s and epoch = %s "
                "returning epoch",
                [Jsonb(status), self.account, self.epoch],
            )
            if row is None:
                raise self._fenced_off(await _one(connection, _HOLDER, [self.account]))
            for run_id, count in bars.items():
                await connection.execute("update runs set bars = %s where id = %s", [count, run_id])

    async def verified_flat(self, changed_at: datetime) -> None:
        """The broker itself showed no position and no open order after this kill."""
        async with self._fenced() as connection:
            changed = await connection.execute(
                "update controls set verified_flat_at = clock_timestamp() "
                "where account = %s and mode = 'killed' and changed_at = %s",
                [self.account, changed_at],
            )
            if changed.rowcount:
                await connection.execute(
                    "select emit_event(%s, 'control', %s)", [self.account, Jsonb({"verified_flat": True})]
                )

    async def start_run(self, row: dict[str, Any]) -> Row:
        """The run with this identity: a new one, or the one that a crash interrupted."""
        columns, values = ", ".join(row), ", ".join(f"%({name})s" for name in row)
        async with self._fenced() as connection:
            await connection.execute(
                f"insert into runs ({columns}) values ({values}) on conflict do nothing", row
            )
            found = await _one(
                connection,
                "select * from runs where account = %(account)s and artifact_hash = %(artifact_hash)s "
                "and first_session = %(first_session)s and last_session = %(last_session)s",
                row,
            )
        assert found is not None, "the row was inserted or stood there before"
        return found

    async def first_session_of(self, artifact_hash: str) -> date:
        """When this artifact first traded on this account; its books begin there."""
        rows = await self._all(
            "select min(first_session) as first from runs where account = %s and artifact_hash = %s",
            [self.account, artifact_hash],
        )
        first: date = rows[0]["first"]
        return first

    async def finish_run(self, run_id: int, bars: int) -> None:
        async with self._fenced() as connection:
            await connection.execute(
                "update runs set finished_at = clock_timestamp(), bars = %s where id = %s", [bars, run_id]
            )
            await connection.execute(
                "select emit_event(%s, 'run', %s)", [self.account, Jsonb({"id": run_id, "finished": True})]
            )

    # -- pieces of the transactions above

    @asynccontextmanager
    async def _fenced(self) -> AsyncIterator[AsyncConnection[DictRow]]:
        """A transaction that begins by proving, under a lock, that the account is still ours."""
        async with self._pool.transaction() as connection:
            lease = await _one(connection, f"{_HOLDER} for share", [self.account])
            if lease is None or lease["epoch"] != self.epoch:
                raise self._fenced_off(lease)
            yield connection
        self.written.set()

    def _fenced_off(self, lease: Row | None) -> Fenced:
        holder = lease["holder"] if lease else "nobody"
        return Fenced(
            f"the account {self.account} was taken over by {holder}",
            "This engine stops; only one may trade an account.",
        )

    async def _all(self, query: str, values: list[Any]) -> list[Row]:
        async with self._pool.lend() as connection:
            return await (await connection.execute(query, values)).fetchall()

    async def _lock_order(self, connection: AsyncConnection[DictRow], coid: str) -> Row | None:
        return await _one(
            connection,
            "select * from orders where coid = %s and account = %s for update",
            [coid, self.account],
        )

    async def _end(self, coid: str, state: OrderState, reason: str) -> None:
        async with self._fenced() as connection:
            changed = await connection.execute(
                "update orders set state = %s, reason = %s, updated_at = clock_timestamp() "
                "where coid = %s and state in ('INTENT', 'SENDING')",
                [state, reason, coid],
            )
            if changed.rowcount:
                await self._tell(connection, "order", coid)

    async def _situation(self, connection: AsyncConnection[DictRow], intent: Intent) -> tuple[Mode, Exposure]:
        """What the account holds and has in flight, counted inside the transaction that adds to it."""
        row = await _one(
            connection,
            """
            with held as (
                select symbol, qty, average_entry from positions where account = %(account)s and qty <> 0
            ), flying as (
                select symbol, max(reference_price) as price,
                       coalesce(sum(qty - filled_qty) filter (where side = 'buy'), 0) as buys,
                       coalesce(sum(qty - filled_qty) filter (where side = 'sell'), 0) as sells
                from orders
                where account = %(account)s and state in ('INTENT', 'SENDING', 'ACKED', 'PARTIAL')
                group by symbol
            ), exposed as (
                select symbol, coalesce(h.qty, 0) as qty, coalesce(f.buys, 0) as buys, coalesce(f.sells, 0) as sells,
                       coalesce(f.price, h.average_entry) as price
                from held h full join flying f using (symbol)
            )
            select (select mode from controls where account = %(account)s) as mode,
                   coalesce(sum(qty) filter (where symbol = %(symbol)s), 0) as position,
                   coalesce(sum(buys) filter (where symbol = %(symbol)s), 0) as open_buys,
                   coalesce(sum(sells) filter (where symbol = %(symbol)s), 0) as open_sells,
                   coalesce(sum(greatest(abs(qty + buys), abs(qty - sells)) * price)
                            filter (where symbol <> %(symbol)s), 0) as gross_elsewhere
            from exposed
            """,
            {"account": self.account, "symbol": intent.symbol},
        )
        assert row is not None, "an aggregate always returns a row"
        mode: Mode = row.pop("mode")
        return mode, Exposure(**{name: float(value) for name, value in row.items()})

    async def _move_position(self, connection: AsyncConnection[DictRow], fill: BrokerFill) -> None:
        await connection.execute(
            """
            insert into positions as p (account, symbol, qty, average_entry)
            values (%(account)s, %(symbol)s, %(delta)s, %(price)s)
            on conflict (account, symbol) do update set
                qty = p.qty + excluded.qty,
                realised = p.realised + case
                    when p.qty * excluded.qty < 0
                    then sign(p.qty) * least(abs(p.qty), abs(excluded.qty)) * (%(price)s - p.average_entry)
                    else 0 end - %(commission)s,
                average_entry = case
                    when p.qty + excluded.qty = 0 then 0
                    when p.qty * excluded.qty >= 0
                    then (p.qty * p.average_entry + excluded.qty * %(price)s) / (p.qty + excluded.qty)
                    when abs(excluded.qty) > abs(p.qty) then %(price)s
                    else p.average_entry end,
                updated_at = clock_timestamp()
            """,
            {
                "account": self.account,
                "symbol": fill.symbol,
                "delta": fill.qty if fill.side == "buy" else f"-{fill.qty}",
                "price": fill.price,
                "commission": fill.commission,
            },
        )
        await self._tell(connection, "position", fill.symbol)

    async def _keep_raw(self, connection: AsyncConnection[DictRow], payload: str, problem: str) -> None:
        await connection.execute(
            "insert into raw_events (account, payload, problem) values (%s, %s, %s)",
            [self.account, payload, problem],
        )

    async def _tell(
        self, connection: AsyncConnection[DictRow], kind: str, key: str, execution_id: str = ""
    ) -> None:
        """Put the row as it now stands in the outbox, from which screens are told."""
        source = {
            "order": "(select to_jsonb(o) - 'body_hash' - 'decision_key' from orders o where coid = %(key)s)",
            "fill": "(select to_jsonb(f) from fills f where account = %(account)s and execution_id = %(execution)s)",
            "position": "(select to_jsonb(p) from positions p where account = %(account)s and symbol = %(key)s)",
        }[kind]
        await connection.execute(
            f"select emit_event(%(account)s, %(kind)s, {source})",
            {"account": self.account, "kind": kind, "key": key, "execution": execution_id},
        )


async def _one(connection: AsyncConnection[DictRow], query: str, values: Any) -> Row | None:
    return await (await connection.execute(query, values)).fetchone()
