"""Telling an account's engine to run, to pause, or to get out of everything."""

import asyncio

from api import ledger as read
from api.deps import AccountName, House, Ledger, Who
from api.errors import NotFound, responses
from api.messages import Control, ControlChange
from api.routing import authorised
from api.security import Role
from data.control import MODE_AFTER, give
from data.errors import UsageError

router = authorised(Role.viewer, "control")
trader_router = authorised(Role.trader, "control")

_VERB_FOR = {mode: verb for verb, mode in MODE_AFTER.items()}


@router.get("/control", summary="What an account is told to do", responses=responses(404))
async def control(account: AccountName, ledger: Ledger) -> Control:
    """After a kill, `verified_flat_at` stays null until the broker itself showed nothing open."""
    await read.account(ledger, account)
    return await read.control(ledger, account)


@trader_router.post("/control", summary="Run, pause or kill an account", responses=responses(404, 409))
async def change_control(body: ControlChange, house: House, who: Who) -> Control:
    """Durable when this answers: no risk-increasing order starts more than a second later.

    `paused` keeps positions and sends only what reduces them; `killed` cancels, flattens and verifies.  A kill is
    not paused, only ended.
    """
    try:
        changed = await asyncio.to_thread(
            give,
            body.account,
            _VERB_FOR[body.mode],
            actor=who.name,
            reason=body.reason,
            database_url=house.database_url,
        )
    except UsageError as error:
        raise NotFound(error.what, error.fix) from None
    return Control(
        account=changed.account,
        mode=changed.mode,
        reason=changed.reason,
        actor=changed.actor,
        changed_at=changed.changed_at,
        verified_flat_at=changed.verified_flat_at,
    )
