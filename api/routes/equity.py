"""An account's worth over time."""

from typing import Final

from api import ledger as read
from api.deps import AccountName, House, Ledger
from api.equity import POINTS_MAX, Mark, Trade, curve, step_for
from api.errors import responses
from api.ledger import rows
from api.messages import Equity
from api.routing import authorised
from api.security import Role

router = authorised(Role.viewer, "equity")

_FILLS_MAX: Final = 100_000
_TRADES: Final = """
    select symbol, coalesce(bar_ts_utc, filled_at) as at, case side when 'buy' then qty else -qty end::float8 as qty,
           price::float8 as price, commission::float8 as commission
    from fills where account = %s order by at, broker_seq nulls last limit %s
"""
# The account's own market clock: candles after the last bar it has seen are its future.
_HORIZON: Final = """
    select greatest(max(bar_ts_utc), (select max(coalesce(bar_ts_utc, filled_at)) from fills where account = %s),
                    (select to_timestamp((status ->> 'bar_ts_us')::float8 / 1e6) from lease where account = %s)) as last
    from orders where account = %s
"""
_MARKS: Final = """
    select distinct on (symbol, bucket) symbol, ts_utc as at, close,
           date_bin(make_interval(secs => %s), ts_utc, '2000-01-01Z') as bucket
    from candles_by_symbol where source = %s and timeframe = '1m' and symbol = any(%s) and ts_utc between %s and %s
    order by symbol, bucket, ts_utc desc
"""


@router.get("/equity", summary="Equity curve of an account", responses=responses(404))
async def equity(account: AccountName, ledger: Ledger, house: House) -> Equity:
    """From the first fill to the last bar the account has seen: cash, and positions at the candles' closes."""
    opened = await read.account(ledger, account)
    opening_cash = float(opened.cash)
    trades = await rows(ledger, Trade, _TRADES, [account, _FILLS_MAX])
    if not trades:
        return Equity(account=account, opening_cash=opening_cash, step_s=60, points=[])
    cursor = await ledger.execute(_HORIZON, [account, account, account])
    horizon = await cursor.fetchone()
    assert horizon is not None, "an aggregate returns one row"
    first, last = trades[0].at, horizon["last"] or trades[-1].at
    step_s = step_for(first, last)
    held = sorted({trade.symbol for trade in trades})
    cursor = await ledger.execute(_MARKS, [step_s, house.settings.candle_source, held, first, last])
    marks = [Mark(row["symbol"], row["at"], row["close"]) for row in await cursor.fetchall()]
    points = curve(opening_cash, trades, marks)
    return Equity(account=account, opening_cash=opening_cash, step_s=step_s, points=points[-POINTS_MAX * 2 :])
