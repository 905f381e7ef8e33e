"""What was traded: the ledger's fills, seen from Dagster, which never writes them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dagster import AssetSpec, MetadataValue, TableRecord
from psycopg import Connection
from psycopg.rows import DictRow

from orchestration.assets.research import artifacts

live_fills = AssetSpec(
    "live_fills",
    deps=[artifacts],
    group_name="trading",
    kinds={"postgres"},
    description="Fills that the execution service entered in the ledger. Observed by the sensor watch_fills.",
)

Seen = dict[str, int]
"""account -> number of the last event that was looked at"""


@dataclass(frozen=True, slots=True)
class AccountFills:
    """One account's fills."""

    account: str
    new_fills: int
    fills: int
    symbols: int
    artifacts: int
    last_filled_at: datetime | None


def news(connection: Connection[DictRow], seen: Seen) -> tuple[list[AccountFills], Seen]:
    """The accounts with fills that `seen` does not know, and what is known from now on.

    Events are numbered without gaps in the order of their commits, so nothing slips in behind the cursor.
    """
    numbers: Seen = {
        row["name"]: row["event_seq"]
        for row in connection.execute("select name, event_seq from accounts").fetchall()
    }
    moved = {name: seen.get(name, 0) for name, number in numbers.items() if number > seen.get(name, 0)}
    rows = connection.execute(
        """
        select s.account, n.new_fills, t.*
        from unnest(%s::text[], %s::bigint[], %s::bigint[]) as s (account, after, upto),
             lateral (select count(*) as new_fills from outbox o
                      where o.account = s.account and o.seq > s.after and o.seq <= s.upto and o.kind = 'fill') n,
             lateral (select count(*) as fills, count(distinct f.symbol) as symbols,
                             count(distinct o.artifact_hash) as artifacts, max(f.filled_at) as last_filled_at
                      from fills f join orders o using (coid) where f.account = s.account) t
        where n.new_fills > 0 order by s.account
        """,
        [list(moved), list(moved.values()), [numbers[name] for name in moved]],
    ).fetchall()
    return [AccountFills(**row) for row in rows], numbers


def metadata_of(news: list[AccountFills]) -> dict[str, Any]:
    """The counts as Dagster shows them."""
    last = max((each.last_filled_at for each in news if each.last_filled_at), default=None)
    return {
        "accounts": len(news),
        "new_fills": sum(each.new_fills for each in news),
        "fills": sum(each.fills for each in news),
        **({"last_fill": MetadataValue.timestamp(last)} if last else {}),
        "by_account": MetadataValue.table(
            [
                TableRecord(
                    {
                        "account": each.account,
                        "new fills": each.new_fills,
                        "fills": each.fills,
                        "symbols": each.symbols,
                        "artifacts": each.artifacts,
                        "last fill": f"{each.last_filled_at:%Y-%m-%d %H:%M:%S %Z}",
                    }
                )
                for each in news
            ]
        ),
    }
