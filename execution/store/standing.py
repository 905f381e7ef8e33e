"""Where the account stands, as the engine asks for it at every start, and what the engine says of itself."""

from datetime import date, datetime
from typing import Any

from psycopg.types.json import Jsonb

from execution.store.fence import Fence, Row, one_row

OPEN = "('INTENT', 'SENDING', 'ACKED', 'PARTIAL')"


class Standing:
    """Questions about the account, its runs and its heartbeat."""

    def __init__(self, fence: Fence) -> None:
        self._fence = fence

    async def orders(self, states: str = OPEN) -> list[Row]:
        return await self._fence.read(
            f"select * from orders where account = %s and state in {states}", [self._fence.account]
        )

    async def sent_by(self, strategy: str, since: datetime) -> set[str]:
        """The orders of one strategy from an instant on; an operator's are counted so, across restarts."""
        rows = await self._fence.read(
            "select coid from orders where account = %s and strategy = %s and created_at >= %s",
            [self._fence.account, strategy, since],
        )
        return {row["coid"] for row in rows}

    async def fills_of(self, artifact_hash: str, symbol: str) -> list[Row]:
        """The fills of one book, in the order in which they happened."""
        return await self._fence.read(
            "select f.* from fills f join orders o using (coid) where f.account = %s and o.artifact_hash = %s "
            "and f.symbol = %s order by f.broker_seq nulls last, f.filled_at, f.execution_id",
            [self._fence.account, artifact_hash, symbol],
        )

    async def positions(self) -> dict[str, float]:
        rows = await self._fence.read(
            "select symbol, qty from positions where account = %s and qty <> 0", [self._fence.account]
        )
        return {row["symbol"]: float(row["qty"]) for row in rows}

    async def control(self) -> Row:
        rows = await self._fence.read("select * from controls where account = %s", [self._fence.account])
        return rows[0]

    async def heartbeat(self, status: dict[str, Any], bars: dict[int, int]) -> None:
        """Say that we live, what of, and how many bars each run has behind it."""
        async with self._fence.lease_transaction(Jsonb(status)) as connection:
            for run_id, count in bars.items():
                await connection.execute("update runs set bars = %s where id = %s", [count, run_id])

    async def verified_flat(self, changed_at: datetime) -> None:
        """The broker itself showed no position and no open order after this kill."""
        async with self._fence.transaction() as connection:
            changed = await connection.execute(
                "update controls set verified_flat_at = clock_timestamp() "
                "where account = %s and mode = 'killed' and changed_at = %s",
                [self._fence.account, changed_at],
            )
            if changed.rowcount:
                await connection.execute(
                    "select emit_event(%s, 'control', %s)",
                    [self._fence.account, Jsonb({"verified_flat": True})],
                )

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
