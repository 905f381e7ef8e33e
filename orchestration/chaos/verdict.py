"""What must hold of a session once everything is well again."""

import asyncio

from data import ledger
from data.postgres import connect
from execution.proof import differences, unexplained
from orchestration.chaos.world import SESSION, World
from research.parity import compare_orders


async def violations(world: World, account: str) -> list[str]:
    """Every promise that the session broke, a sentence each."""
    found = [f"{account}: {each}" for each in await differences(account)]
    return found + [f"{account}: {each}" for each in await asyncio.to_thread(_in_the_ledger, world, account)]


def _in_the_ledger(world: World, account: str) -> list[str]:
    with connect() as connection:
        traded = ledger.traded_orders(connection, account, world.version.artifact_hash, SESSION, SESSION)
        found = unexplained(connection, account)
    parity = compare_orders(world.wanted, traded)
    if not parity.holds:
        found.append(f"not the orders that research computed: {parity}")
        found += [f"{row['symbol']} {row['bar_ts_utc']:%H:%M} {row['cause']}: research {row['research']}, "
                  f"execution {row['execution']}" for row in parity.differences.iter_rows(named=True)]  # fmt: skip
    return found
