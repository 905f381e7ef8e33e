"""Intents on their way out: made durable, claimed under our epoch, answered or given up.  Protocol steps 2, 4, 6."""

from typing import Final

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from data.control import Mode
from data.errors import Corrupt
from data.orders import OrderState
from execution.core.bucket import Rate
from execution.core.intents import Intent
from execution.core.risk import Exposure, Limits, reduces, refusal
from execution.flow.ports import Wait
from execution.store.fence import Fence, Row, instant, one_row

# No order that increases risk is sent after a pause or a kill, and none that the account's rate does not allow.
_CLAIM: Final = """
    with wanted as (
        select coid, reduces from orders where coid = %(coid)s and state = %(before)s and expires_at > clock_timestamp()
        and (reduces or (select mode from controls where account = %(account)s) = 'running') for update
    ), rate as materialized (
        select take_request(%(account)s, %(per_second)s, %(size)s,
                            case when reduces then 0 else %(kept)s end) as wait_s from wanted
    ), claimed as (
        update orders set state = 'SENDING', epoch = %(epoch)s, attempts = attempts + 1,
            sent_at = clock_timestamp(), updated_at = clock_timestamp()
        where coid = %(coid)s and (select wait_s from rate) = 0 returning *
    )
    select rate.wait_s, claimed.* from rate left join claimed on true
"""


class Intents:
    """What the engine decided and the gateway sends."""

    def __init__(self, fence: Fence, rate: Rate) -> None:
        self._fence = fence
        self._rate = rate

    async def write(self, intent: Intent, limits: Limits, ttl_s: float) -> str | None:
        """Make an intent durable unless a limit forbids it; returns the limit's sentence then.

        Writing the same intent again changes nothing; the same coid with another body halts.
        """
        async with self._fence.transaction() as connection:
            mode, exposure = await self._situation(connection, intent)
            known = await one_row(connection, "select body_hash from orders where coid = %s", [intent.coid])
            if known is not None:
                if known["body_hash"] != intent.body_hash:
                    raise Corrupt(
                        f"the decision {intent.decision_key} was made twice, differently",
                        "Stop trading this strategy and compare its inputs: decisions must be deterministic.",
                    )
                return None
            refused = refusal(intent, exposure, limits, mode)
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
                "occasion": intent.occasion,
                "decided_at": instant(intent.decided_at_us),
            }
            columns, values = ", ".join(row), ", ".join(f"%({name})s" for name in row)
            # it expires by the clock that claims look at: ours may have jumped
            await connection.execute(
                f"insert into orders ({columns}, expires_at) "
                f"values ({values}, clock_timestamp() + make_interval(secs => %(ttl_s)s))",
                {**row, "ttl_s": ttl_s},
            )
            await self._fence.tell(connection, "order", intent.coid)
        return refused

    async def claim(self, coid: str) -> Row | Wait | None:
        """INTENT → SENDING under our epoch; None when it may not (or no longer) be sent.

        The mode is read again here: no order that increases risk is claimed after a pause or a kill.
        """
        return await self._claim(coid, OrderState.INTENT)

    async def claim_again(self, coid: str) -> Row | Wait | None:
        """One more attempt at an order that stayed absent at the broker through the quarantine."""
        return await self._claim(coid, OrderState.SENDING)

    async def _claim(self, coid: str, before: OrderState) -> Row | Wait | None:
        async with self._fence.transaction() as connection:
            row = await one_row(
                connection,
                _CLAIM,
                {
                    "coid": coid,
                    "before": before,
                    "epoch": self._fence.epoch,
                    "account": self._fence.account,
                    "per_second": self._rate.per_second,
                    "size": self._rate.size,
                    "kept": self._rate.kept,
                },
            )
            if row is None:
                return None
            wait_s = row.pop("wait_s")
            if wait_s > 0.0:
                return Wait(wait_s)
            await self._fence.tell(connection, "order", coid)
        return row

    async def withdraw(self, coid: str, reason: str) -> None:
        """An intent that will not be sent."""
        await self._end(coid, OrderState.INTENT, OrderState.ABANDONED, reason)

    async def abandon(self, coid: str, reason: str) -> None:
        """An order that was sent and never became known; reconciliation still watches it."""
        await self._end(coid, OrderState.SENDING, OrderState.ABANDONED, reason)

    async def ack(self, coid: str, broker_id: str) -> None:
        """The broker has it.  The stream may have told us more already; that stands."""
        async with self._fence.transaction() as connection:
            changed = await connection.execute(
                "update orders set broker_id = %s, acked_at = coalesce(acked_at, clock_timestamp()), "
                "updated_at = clock_timestamp(), state = case when state = 'SENDING' then 'ACKED' else state end "
                "where coid = %s and (broker_id is null or state = 'SENDING')",
                [broker_id, coid],
            )
            if changed.rowcount:
                await self._fence.tell(connection, "order", coid)

    async def reject(self, coid: str, reason: str) -> None:
        await self._end(coid, OrderState.SENDING, OrderState.REJECTED, reason)

    async def _end(self, coid: str, before: OrderState, after: OrderState, reason: str) -> None:
        async with self._fence.transaction() as connection:
            changed = await connection.execute(
                "update orders set state = %s, reason = %s, updated_at = clock_timestamp() "
                "where coid = %s and state = %s",
                [after, reason, coid, before],
            )
            if changed.rowcount:
                await self._fence.tell(connection, "order", coid)

    async def _situation(self, connection: AsyncConnection[DictRow], intent: Intent) -> tuple[Mode, Exposure]:
        """What the account holds and has in flight, counted inside the transaction that adds to it."""
        row = await one_row(
            connection,
            """
            with held as (
                select symbol, qty, average_entry from positions where account = %(account)s and qty <> 0
            ), flying as (
                select symbol, max(reference_price) as price,
                       coalesce(sum(unfilled) filter (where side = 'buy'), 0) as buys,
                       coalesce(sum(unfilled) filter (where side = 'sell'), 0) as sells
                from (
                    select symbol, reference_price, side, qty - filled_qty as unfilled from orders
                    where account = %(account)s and state in ('INTENT', 'SENDING', 'ACKED', 'PARTIAL')
                    union all
                    select symbol, reference_price, side, reported_qty - filled_qty from orders
                    where account = %(account)s and reported_qty > filled_qty
                    and state not in ('INTENT', 'SENDING', 'ACKED', 'PARTIAL')
                ) as coming
                group by symbol
            ), exposed as (
                select symbol, coalesce(h.qty, 0) as qty, coalesce(f.buys, 0) as buys, coalesce(f.sells, 0) as sells,
                       coalesce(f.price, h.average_entry) as price
                from held h full join flying f using (symbol)
            )
            select (select mode from controls where account = %(account)s) as mode,
                   (select reason from symbol_halts where account = %(account)s and symbol = %(symbol)s) as halted,
                   coalesce(sum(qty) filter (where symbol = %(symbol)s), 0) as position,
                   coalesce(sum(buys) filter (where symbol = %(symbol)s), 0) as open_buys,
                   coalesce(sum(sells) filter (where symbol = %(symbol)s), 0) as open_sells,
                   coalesce(sum(greatest(abs(qty + buys), abs(qty - sells)) * price)
                            filter (where symbol <> %(symbol)s), 0) as gross_elsewhere
            from exposed
            """,
            {"account": self._fence.account, "symbol": intent.symbol},
        )
        assert row is not None, "an aggregate always returns a row"
        mode: Mode = row.pop("mode")
        halted: str | None = row.pop("halted")
        return mode, Exposure(**{name: float(value) for name, value in row.items()}, halted=halted)
