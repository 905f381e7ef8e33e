"""What the broker reports, entered once.  Protocol step 8."""

from collections.abc import Collection
from decimal import Decimal

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from data.orders import OPEN, OrderState
from execution.broker import BrokerFill, BrokerOrder
from execution.core.invariants import Entered
from execution.core.lifecycle import after_report
from execution.store.fence import Fence, Row, instant, one_row


class Reports:
    """The broker's word on orders and fills."""

    def __init__(self, fence: Fence) -> None:
        self._fence = fence

    async def apply_order(self, order: BrokerOrder) -> Row | None:
        """Take in the broker's view of an order; None when it is not one of ours."""
        async with self._fence.transaction() as connection:
            row = await self._lock_order(connection, order.coid)
            if row is None:
                return None
            if order.state is None:
                await self._keep_raw(connection, repr(order), f"unknown status {order.status!r}")
                return row
            state = after_report(
                OrderState(row["state"]),
                order.state,
                float(row["filled_qty"]),
                float(row["qty"]),
                known=row["broker_id"] is not None,
            )
            reported = max(row["reported_qty"], Decimal(order.filled_qty))
            if state != row["state"] or row["broker_id"] is None or reported != row["reported_qty"]:
                await connection.execute(
                    "update orders set state = %s, reported_qty = %s, broker_id = %s, reason = '', "
                    "acked_at = coalesce(acked_at, clock_timestamp()), updated_at = clock_timestamp() "
                    "where coid = %s",
                    [state, reported, order.broker_id, order.coid],
                )
                await self._fence.tell(connection, "order", order.coid)
                row = await self._lock_order(connection, order.coid)
        return row

    async def apply_fill(self, fill: BrokerFill, heard_by: str) -> Row | None:
        """Enter an execution once.  Returns its order when it was new; the same fill again changes nothing."""
        async with self._fence.transaction() as connection:
            order = await self._lock_order(connection, fill.coid)
            if order is None:
                await self._keep_raw(connection, repr(fill), "a fill for an order that we did not send")
                return None
            new = await connection.execute(
                "insert into fills (account, execution_id, coid, symbol, side, qty, price, commission, "
                "broker_seq, bar_ts_utc, filled_at, heard_by) "
                "values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) on conflict do nothing",
                [
                    self._fence.account, fill.execution_id, fill.coid, fill.symbol, fill.side, fill.qty, fill.price,
                    fill.commission, fill.seq, instant(fill.bar_ts_us) if fill.bar_ts_us else None,
                    fill.filled_at, heard_by,
                ],
            )  # fmt: skip
            if new.rowcount == 0:
                return None
            filled = order["filled_qty"] + Decimal(fill.qty)
            told = OrderState.PARTIAL if filled < order["qty"] else OrderState.FILLED
            state = after_report(
                OrderState(order["state"]),
                told,
                float(filled),
                float(order["qty"]),
                known=order["broker_id"] is not None,
            )
            await connection.execute(
                "update orders set filled_qty = %(filled)s, reported_qty = greatest(reported_qty, %(filled)s), "
                "state = %(state)s, acked_at = coalesce(acked_at, clock_timestamp()), "
                "updated_at = clock_timestamp() where coid = %(coid)s",
                {"filled": filled, "state": state, "coid": fill.coid},
            )
            await self._move_position(connection, fill)
            if order["artifact_hash"] is not None:
                await self._move_book(connection, fill, order)
            await self._fence.tell(connection, "fill", fill.coid, fill.execution_id)
            await self._fence.tell(connection, "order", fill.coid)
            return await self._lock_order(connection, fill.coid)

    async def keep_raw(self, payload: str, problem: str) -> None:
        async with self._fence.transaction() as connection:
            await self._keep_raw(connection, payload, problem)

    async def entered(self, coids: Collection[str]) -> dict[str, Entered]:
        """These orders, as far as they are ours, and all that are open."""
        rows = await self._fence.read(
            "select coid, state, qty, filled_qty, attempts, reason from orders "
            "where account = %(account)s and (state = any(%(open)s) or coid = any(%(coids)s))",
            {"account": self._fence.account, "open": list(OPEN), "coids": list(coids)},
        )
        return {
            row["coid"]: Entered(
                OrderState(row["state"]),
                float(row["qty"]),
                float(row["filled_qty"]),
                row["attempts"],
                row["reason"],
            )
            for row in rows
        }

    async def unequal_positions(self) -> dict[str, tuple[float, float]]:
        """Symbols whose position is not what their fills add up to, with both; of one instant."""
        rows = await self._fence.read(
            """
            with added as (
                select symbol, sum(case when side = 'buy' then qty else -qty end) as qty
                from fills where account = %(account)s group by symbol
            ), held as (
                select symbol, qty from positions where account = %(account)s
            )
            select symbol, coalesce(held.qty, 0) as position, coalesce(added.qty, 0) as fills
            from held full join added using (symbol)
            where coalesce(held.qty, 0) <> coalesce(added.qty, 0)
            """,
            {"account": self._fence.account},
        )
        return {row["symbol"]: (float(row["position"]), float(row["fills"])) for row in rows}

    async def known_executions(self) -> set[str]:
        rows = await self._fence.read(
            "select execution_id from fills where account = %s", [self._fence.account]
        )
        return {row["execution_id"] for row in rows}

    async def order_states(self) -> dict[str, OrderState]:
        rows = await self._fence.read(
            "select coid, state from orders where account = %s", [self._fence.account]
        )
        return {row["coid"]: OrderState(row["state"]) for row in rows}

    async def _lock_order(self, connection: AsyncConnection[DictRow], coid: str) -> Row | None:
        return await one_row(
            connection,
            "select * from orders where coid = %s and account = %s for update",
            [coid, self._fence.account],
        )

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
                "account": self._fence.account,
                "symbol": fill.symbol,
                "delta": fill.qty if fill.side == "buy" else f"-{fill.qty}",
                "price": fill.price,
                "commission": fill.commission,
            },
        )
        await self._fence.tell(connection, "position", fill.symbol)

    async def _move_book(self, connection: AsyncConnection[DictRow], fill: BrokerFill, order: Row) -> None:
        """What an operator closes is closed for the book, whose strategy stays the name of it."""
        await connection.execute(
            """
            insert into book_positions as b (account, artifact_hash, symbol, strategy, qty, price)
            values (%(account)s, %(artifact)s, %(symbol)s, %(strategy)s, %(delta)s, %(price)s)
            on conflict (account, artifact_hash, symbol) do update set
                qty = b.qty + excluded.qty, price = excluded.price,
                strategy = case when %(occasion)s = '' then excluded.strategy else b.strategy end
            """,
            {
                "account": self._fence.account,
                "artifact": order["artifact_hash"],
                "symbol": fill.symbol,
                "strategy": order["strategy"],
                "occasion": order["occasion"],
                "delta": fill.qty if fill.side == "buy" else f"-{fill.qty}",
                "price": fill.price,
            },
        )

    async def _keep_raw(self, connection: AsyncConnection[DictRow], payload: str, problem: str) -> None:
        await connection.execute(
            "insert into raw_events (account, payload, problem) values (%s, %s, %s)",
            [self._fence.account, payload, problem],
        )
