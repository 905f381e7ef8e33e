"""What an account asked for."""

from typing import Annotated

from fastapi import Query

from api import ledger as read
from api.deps import AccountName, Ledger
from api.errors import responses
from api.messages import Order
from api.routing import authorised
from api.security import Role
from data.orders import OrderState

router = authorised(Role.viewer, "orders")


@router.get("/orders", summary="Orders of an account", responses=responses(404))
async def orders(
    account: AccountName,
    ledger: Ledger,
    state: Annotated[list[OrderState] | None, Query(description="only these; may be repeated")] = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 200,
) -> list[Order]:
    """Newest first."""
    await read.account(ledger, account)
    return await read.orders(ledger, account, state, limit)
