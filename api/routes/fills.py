"""What an account got."""

from typing import Annotated

from fastapi import Query

from api import ledger as read
from api.deps import AccountName, Ledger
from api.errors import responses
from api.messages import Fill
from api.routing import authorised
from api.security import Role

router = authorised(Role.viewer, "fills")


@router.get("/fills", summary="Fills of an account", responses=responses(404))
async def fills(
    account: AccountName, ledger: Ledger, limit: Annotated[int, Query(ge=1, le=1_000)] = 200
) -> list[Fill]:
    """Newest first."""
    await read.account(ledger, account)
    return await read.fills(ledger, account, limit)
