"""Logging in, staying logged in, and who one is."""

import asyncio
from datetime import UTC, datetime

from fastapi import Request

from api import routing
from api.deps import House, Ledger, Services, Who
from api.errors import NotAuthenticated, TokenExpired, responses
from api.messages import Login, Me, Session
from api.security import Role, nobodys_hash, passwords

open_router = routing.open_router("auth")
router = routing.authorised(Role.viewer, "auth")

# argon2 takes 30 ms and 64 MB each: a flood of log-ins must not eat the machine that trades.
_verifications = asyncio.Semaphore(2)


@open_router.post("/api/auth/login", summary="Log in", responses=responses(401, 429))
async def login(body: Login, request: Request, house: House, ledger: Ledger) -> Session:
    """A token for a name and a password.  Wrong names and wrong passwords look the same."""
    address = request.client.host if request.client else ""
    house.attempts.check(body.name, address)
    cursor = await ledger.execute(
        "select password_hash, role from users where name = %s and disabled_at is null", [body.name]
    )
    row = await cursor.fetchone()
    async with _verifications:
        known = row["password_hash"] if row else nobodys_hash()
        good = await asyncio.to_thread(passwords.verify, body.password, known)
    if row is None or not good:
        house.attempts.failed(body.name, address)
        raise NotAuthenticated(
            "that name and password do not fit", "Try again; `./slipway status` shows the local log-in."
        )
    house.attempts.succeeded(body.name, address)
    return _session(house, body.name, Role[row["role"]], None)


@router.post("/auth/renew", summary="Renew the token")
async def renew(house: House, who: Who) -> Session:
    """A fresh token for a good one, until the session itself is over."""
    session = _session(house, who.name, who.role, who.logged_in_at)
    if session.renewable_until < datetime.now(UTC):
        raise TokenExpired(
            f"this session is older than {house.settings.session_hours} hours", "Log in again."
        )
    return session


@router.get("/auth/me", summary="Who am I?")
async def me(who: Who) -> Me:
    return Me(name=who.name, role=who.role.name)


def _session(house: Services, name: str, role: Role, logged_in_at: int | None) -> Session:
    token, expires_at = house.tokens.issue(name, logged_in_at)
    began = logged_in_at or int(datetime.now(UTC).timestamp())
    return Session(
        token=token,
        name=name,
        role=role.name,
        expires_at=datetime.fromtimestamp(expires_at, UTC),
        renewable_until=datetime.fromtimestamp(began + house.settings.session_hours * 3600, UTC),
    )
