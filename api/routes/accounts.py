"""The accounts that trade here."""

from api import ledger as read
from api.deps import Ledger
from api.messages import Account
from api.routing import authorised
from api.security import Role

router = authorised(Role.viewer, "accounts")


@router.get("/accounts", summary="All accounts")
async def accounts(ledger: Ledger) -> list[Account]:
    """Oldest first, each with what it is told to do and when its engine was last heard."""
    return await read.accounts(ledger)
