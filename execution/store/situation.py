"""Everything that the ledger knows about an order before it is written, in one question."""

from datetime import timedelta
from typing import Any, Final

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from data.limits import DUPLICATE_WINDOW_MAX_S, Limits, in_force
from execution.core.bucket import Bucket
from execution.core.intents import Intent
from execution.core.risk import Exposure, Scope, Situation
from execution.core.risk.situation import ACCOUNT
from execution.store.fence import Row, instant, one_row

_COMING: Final = """
    select symbol, strategy, reference_price, side, qty - filled_qty as unfilled from orders
    where account = %(account)s and state in ('INTENT', 'SENDING', 'ACKED', 'PARTIAL')
    union all
    select symbol, strategy, reference_price, side, reported_qty - filled_qty from orders
    where account = %(account)s and reported_qty > filled_qty
    and state not in ('INTENT', 'SENDING', 'ACKED', 'PARTIAL')
"""
# own: of the strategy that asks, beside what the account has as a whole
_EXPOSED: Final = f"""
    flying as (
        select symbol, max(reference_price) as price,
               coalesce(sum(unfilled) filter (where side = 'buy'), 0) as buys,
               coalesce(sum(unfilled) filter (where side = 'sell'), 0) as sells,
               coalesce(sum(unfilled) filter (where side = 'buy' and strategy = %(strategy)s), 0) as own_buys,
               coalesce(sum(unfilled) filter (where side = 'sell' and strategy = %(strategy)s), 0) as own_sells
        from ({_COMING}) as coming group by symbol
    ), held as (
        select symbol, qty, average_entry as price from positions where account = %(account)s and qty <> 0
    ), own as (
        select symbol, sum(qty) as qty, max(price) as price from book_positions
        where account = %(account)s and strategy = %(strategy)s and qty <> 0 group by symbol
    ), exposed as (
        select symbol, coalesce(h.qty, 0) as qty, coalesce(o.qty, 0) as own_qty, coalesce(f.buys, 0) as buys,
               coalesce(f.sells, 0) as sells, coalesce(f.own_buys, 0) as own_buys,
               coalesce(f.own_sells, 0) as own_sells, coalesce(f.price, h.price, o.price) as price
        from held h full join flying f using (symbol) full join own o using (symbol)
    )
"""
_LIMITS: Final = """
    select jsonb_agg(jsonb_build_array(strategy, symbol, name, value)) from (
        select distinct on (strategy, symbol, name) strategy, symbol, name, value from limits
        where account = %(account)s and strategy in ('', %(strategy)s) and symbol in ('', %(symbol)s)
        order by strategy, symbol, name, id desc
    ) as newest where value is not null
"""
_ALIKE: Final = """
    select min(abs(extract(epoch from asked_at - %(now)s))) from orders
    where account = %(account)s and strategy = %(strategy)s and symbol = %(symbol)s and refused_by = ''
    and asked_at between %(now)s - %(window)s and %(now)s + %(window)s and side = %(side)s and qty = %(qty)s
"""
_SITUATION: Final = f"""
    with {_EXPOSED}
    select c.mode, c.revision,
           (select jsonb_build_object('body_hash', body_hash, 'refused_by', refused_by, 'reason', reason)
            from orders where coid = %(coid)s) as known,
           (select min(reason) from symbol_halts
            where account = %(account)s and symbol = %(symbol)s and cleared_at is null) as halted,
           ({_LIMITS}) as limits,
           (select jsonb_object_agg(strategy, jsonb_build_array(tokens, refilled_s)) from order_rates
            where account = %(account)s and strategy in ('', %(strategy)s)) as buckets,
           ({_ALIKE})::float8 as alike_s,
           e.*
    from controls c cross join (
        select coalesce(sum(qty) filter (where symbol = %(symbol)s), 0)::float8 as position,
               coalesce(sum(buys) filter (where symbol = %(symbol)s), 0)::float8 as buys,
               coalesce(sum(sells) filter (where symbol = %(symbol)s), 0)::float8 as sells,
               coalesce(sum(greatest(abs(qty + buys), abs(qty - sells)) * price)
                        filter (where symbol <> %(symbol)s), 0)::float8 as elsewhere,
               coalesce(sum(own_qty) filter (where symbol = %(symbol)s), 0)::float8 as own_position,
               coalesce(sum(own_buys) filter (where symbol = %(symbol)s), 0)::float8 as own_buys,
               coalesce(sum(own_sells) filter (where symbol = %(symbol)s), 0)::float8 as own_sells,
               coalesce(sum(greatest(abs(own_qty + own_buys), abs(own_qty - own_sells)) * price)
                        filter (where symbol <> %(symbol)s), 0)::float8 as own_elsewhere
        from exposed
    ) as e where c.account = %(account)s
"""


async def situation_of(
    connection: AsyncConnection[DictRow], intent: Intent, defaults: Limits, now_us: int
) -> tuple[Row | None, Situation]:
    """(what is known of this very decision already, how things stand)."""
    row = await one_row(
        connection,
        _SITUATION,
        {
            "account": intent.account,
            "strategy": intent.strategy,
            "symbol": intent.symbol,
            "side": intent.side,
            "qty": repr(intent.qty),
            "coid": intent.coid,
            "now": instant(now_us),
            "window": timedelta(seconds=DUPLICATE_WINDOW_MAX_S),
        },
    )
    assert row is not None, "an account is opened with its control row"
    limits, buckets = row["limits"] or [], row["buckets"] or {}
    of_account = Exposure(row["position"], row["buys"], row["sells"], row["elsewhere"])
    own = Exposure(row["own_position"], row["own_buys"], row["own_sells"], row["own_elsewhere"])
    return row["known"], Situation(
        mode=row["mode"],
        revision=row["revision"],
        account=Scope(ACCOUNT, in_force(limits, "", defaults), of_account, _bucket(buckets.get(""))),
        strategy=Scope(
            intent.strategy,
            in_force(limits, intent.strategy, defaults),
            own,
            _bucket(buckets.get(intent.strategy)),
        ),
        halted=row["halted"],
        alike_s=row["alike_s"],
    )


def _bucket(kept: list[Any] | None) -> Bucket | None:
    return None if kept is None else Bucket(*kept)
