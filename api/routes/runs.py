"""The trading runs of engines: what they traded, on which data, and whether parity held."""

from typing import Annotated

from fastapi import Query

from api import ledger as read
from api.deps import Ledger
from api.messages import Run
from api.routing import authorised
from api.security import Role

router = authorised(Role.viewer, "runs")


@router.get("/runs", summary="Trading runs")
async def runs(
    ledger: Ledger,
    account: Annotated[str | None, Query(max_length=64)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> list[Run]:
    """Newest first, of one account or of all."""
    return await read.runs(ledger, account, limit)
