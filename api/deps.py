"""What routes are given: the services of this process, a connection, and who is asking."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from psycopg.rows import DictRow
from psycopg_pool import AsyncConnectionPool
from redis.asyncio import Redis

from api.attempts import Attempts
from api.errors import Forbidden, NotAuthenticated
from api.ledger import Connection
from api.security import Person, Role, Tokens
from api.settings import ApiSettings
from data.settings import DataSettings

Pool = AsyncConnectionPool[Connection]


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that lives as long as the process."""

    settings: ApiSettings
    data: DataSettings
    database_url: str
    pool: Pool
    redis: Redis
    tokens: Tokens
    attempts: Attempts


def services_of(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


async def connection(request: Request) -> AsyncIterator[Connection]:
    async with services_of(request).pool.connection() as lent:
        yield lent


async def identify(services: Services, lent: Connection, token: str) -> Person:
    """Who holds this token now: a disabled user or a changed role counts at once."""
    claims = services.tokens.read(token)
    cursor = await lent.execute(
        "select role from users where name = %s and disabled_at is null", [claims.name]
    )
    row: DictRow | None = await cursor.fetchone()
    if row is None:
        raise NotAuthenticated(f"there is no user {claims.name!r} any more", "Log in as somebody else.")
    return Person(claims.name, Role[row["role"]], claims.logged_in_at, claims.expires_at)


def demand(person: Person, role: Role) -> Person:
    if person.role < role:
        raise Forbidden(
            f"{person.name} is {person.role.name} and this needs {role.name}", "Ask an admin for the role."
        )
    return person


_bearer = HTTPBearer(auto_error=False, description="a token from /api/auth/login")


class Require:
    """The dependency that lets a role pass.  Every router but the open ones carries one."""

    def __init__(self, role: Role) -> None:
        self.role = role

    async def __call__(
        self,
        request: Request,
        lent: Annotated[Connection, Depends(connection)],
        bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    ) -> Person:
        if bearer is None:
            raise NotAuthenticated(
                "this needs a log-in", "Send `Authorization: Bearer <token>` from /api/auth/login."
            )
        person = demand(await identify(services_of(request), lent, bearer.credentials), self.role)
        request.state.person = person
        return person


def who(request: Request) -> Person:
    """The person whom the router let pass."""
    person: Person = request.state.person
    return person


Ledger = Annotated[Connection, Depends(connection)]
House = Annotated[Services, Depends(services_of)]
Who = Annotated[Person, Depends(who)]
AccountName = Annotated[str, Query(description="name of the account", min_length=1, max_length=64)]
