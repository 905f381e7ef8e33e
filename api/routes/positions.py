"""What an account holds."""

from api import ledger as read
from api.deps import AccountName, Ledger
from api.errors import responses
from api.messages import Position
from api.routing import authorised
from api.security import Role

router = authorised(Role.viewer, "positions")


@router.get("/positions", summary="Positions of an account", responses=responses(404))
async def positions(account: AccountName, ledger: Ledger) -> list[Position]:
    """One row per symbol it ever held; a quantity of 0 keeps what was realised."""
    await read.account(ledger, account)
    return await read.positions(ledger, account)
