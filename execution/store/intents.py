"""Intents on their way out: made durable, claimed under our epoch, answered or given up.  Protocol steps 2, 4, 6."""

import asyncio
from typing import Final

from data.errors import Corrupt
from data.limits import Limits
from data.orders import OrderState
from execution.core.bucket import Bucket, Rate
from execution.core.intents import Intent
from execution.core.risk import Conditions, Refusal, Situation, reduces, refusal, take_turn
from execution.core.risk.checks import refusal_of, told_of
from execution.flow.ports import Wait
from execution.store.fence import SHOWN, Fence, Row, instant, one_row
from execution.store.situation import situation_of

# No order that increases risk is sent after a pause or a kill, none that was decided before a cancel of all, and none
# that the account's rate does not allow.
_CLAIM: Final = """
    with wanted as (
        select coid, reduces from orders where coid = %(coid)s and state = %(before)s and expires_at > clock_timestamp()
        and exists (select from controls c where c.account = %(account)s and (reduces or c.mode = 'running')
                    and orders.revision >= c.cancel_revision)
        for update
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


# Whatever the order takes with it commits with it: its turn, and what screens are told.  It expires by the clock that
# claims look at: ours may have jumped.
_INSERT: Final = """
    with added as (
        insert into orders ({columns}, expires_at)
        values ({values}, clock_timestamp() + make_interval(secs => %(ttl_s)s)) returning *
    ), turns as (
        insert into order_rates (account, strategy, tokens, refilled_s)
        select %(account)s, * from unnest(%(of)s::text[], %(tokens)s::float8[], %(refilled)s::float8[])
        on conflict (account, strategy) do update set tokens = excluded.tokens, refilled_s = excluded.refilled_s
    )
    select emit_event(%(account)s, 'order', {shown}) from added o
"""


class Intents:
    """What the engine decided and the gateway sends."""

    def __init__(self, fence: Fence, rate: Rate) -> None:
        self._fence = fence
        self._rate = rate
        self._turn = asyncio.Lock()  # two orders that looked at the same situation would both fit into it

    async def write(
        self, intent: Intent, limits: Limits, conditions: Conditions, ttl_s: float
    ) -> Refusal | None:
        """Make an intent durable unless a limit forbids it; `limits` hold where nobody set others.

        Writing the same intent again changes nothing; the same coid with another body halts.
        """
        async with self._turn, self._fence.transaction() as connection:
            known, situation = await situation_of(connection, intent, limits, conditions.now_us)
            if known is not None:
                if known["body_hash"] != intent.body_hash:
                    raise Corrupt(
                        f"the decision {intent.decision_key} was made twice, differently",
                        "Stop trading this strategy and compare its inputs: decisions must be deterministic.",
                    )
                return refusal_of(known)
            refused = refusal(intent, situation, conditions)
            row = _row_of(intent, situation, conditions, refused)
            turns: dict[str, Bucket] = {}
            if refused is None and not intent.occasion:
                turns = take_turn(intent, situation, conditions.now_us)
            await connection.execute(
                _INSERT.format(
                    columns=", ".join(row), values=", ".join(f"%({name})s" for name in row), shown=SHOWN
                ),
                {
                    **row,
                    "ttl_s": ttl_s,
                    "of": list(turns),
                    "tokens": [bucket.tokens for bucket in turns.values()],
                    "refilled": [bucket.at_s for bucket in turns.values()],
                },
            )
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

    async def withdraw(self, coid: str, reason: str) -> Row | None:
        """An intent that will not be sent; None when it was no intent any more."""
        return await self._end(coid, OrderState.INTENT, OrderState.ABANDONED, reason)

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

    async def _end(self, coid: str, before: OrderState, after: OrderState, reason: str) -> Row | None:
        async with self._fence.transaction() as connection:
            ended = await one_row(
                connection,
                "update orders set state = %s, reason = %s, updated_at = clock_timestamp() "
                "where coid = %s and state = %s returning *",
                [after, reason, coid, before],
            )
            if ended is not None:
                await self._fence.tell(connection, "order", coid)
        return ended


def _row_of(intent: Intent, situation: Situation, conditions: Conditions, refused: Refusal | None) -> Row:
    return {
        "coid": intent.coid,
        "account": intent.account,
        "decision_key": intent.decision_key,
        "state": OrderState.ABANDONED if refused else OrderState.INTENT,
        **told_of(refused),
        "artifact_hash": intent.artifact_hash,
        "strategy": intent.strategy,
        "symbol": intent.symbol,
        "side": intent.side,
        "qty": repr(intent.qty),
        "reduces": reduces(intent, situation.account.exposure),
        "revision": situation.revision,
        "target": intent.target,
        "bar_ts_utc": instant(intent.bar_ts_us),
        "asked_at": instant(conditions.now_us),
        "reference_price": repr(intent.reference_price),
        "body_hash": intent.body_hash,
        "occasion": intent.occasion,
        "decided_at": instant(intent.decided_at_us),
    }
