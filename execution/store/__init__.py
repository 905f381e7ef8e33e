"""The ledger in Postgres, as the engine writes it.

May import execution.core, execution.broker and data.
Start reading at fence.py (how a write proves it may), then intents.py, reports.py, standing.py.
"""

from data.postgres import Connections
from execution.core.bucket import Rate
from execution.store.fence import Fence, Fenced, Row
from execution.store.intents import Intents
from execution.store.reports import Reports
from execution.store.standing import Standing

__all__ = ["Fenced", "Row", "Store"]


class Store:
    """One account's rows under one epoch."""

    def __init__(self, connections: Connections, account: str, epoch: int, rate: Rate) -> None:
        fence = Fence(connections, account, epoch)
        self.account = account
        self.written = fence.written
        self.intents = Intents(fence, rate)
        self.reports = Reports(fence)
        self.standing = Standing(fence, rate)
