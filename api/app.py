"""Composes the monitor: services, routes, stream, page.  Nothing connects before the app starts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from api import errors, routing, stream
from api.attempts import Attempts
from api.deps import Services
from api.headers import SecurityHeaders
from api.hub import Hub
from api.ledger import Connection
from api.limits import BODY_BYTES_MAX, TooLargeSaidProperly
from api.page import Page
from api.routes import ROUTERS
from api.security import Role, Tokens, token_key
from api.settings import ApiSettings, get_api_settings
from data import bus
from data.settings import DataSettings, get_settings

POOL_WAIT_S = 2.0  # then 503: a queue of requests helps nobody

DESCRIPTION = """
Every error has one shape: `{"error": {"what", "fix", "code"}}`. Log in at `/api/auth/login`, send the token as
`Authorization: Bearer …`, renew it at `/api/auth/renew`. Live changes come over the WebSocket `/api/stream`: send
`{"type": "hello", "token": …, "account": …}` first; a snapshot follows, then numbered deltas.
"""


def create_app(settings: ApiSettings | None = None, data: DataSettings | None = None) -> FastAPI:
    """The whole monitor as one ASGI app."""
    settings, data = settings or get_api_settings(), data or get_settings()
    if data.env == "production":
        settings.refuse_weakness()
    services = _services(settings, data)

    app = FastAPI(
        title="Slipway",
        version="0.1.0",
        summary="The trade monitor: what trades, what it holds, and the means to stop it.",
        description=DESCRIPTION,
        lifespan=_lifespan,
        openapi_url=None,  # served below, behind a log-in
    )
    app.state.services = services
    errors.install(app)
    for router in ROUTERS:
        app.include_router(router)
    app.include_router(_schema_router(app))
    app.include_router(stream.router)
    app.mount("/", Page(settings.page_dir), name=routing.PAGE)
    app.add_middleware(RequestBodyLimitMiddleware, max_body_size=BODY_BYTES_MAX)
    app.add_middleware(TooLargeSaidProperly)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=settings.host_names)
    app.add_middleware(SecurityHeaders, https=data.env == "production")
    routing.refuse_open_doors(app)
    return app


def _services(settings: ApiSettings, data: DataSettings) -> Services:
    database_url = data.postgres()
    pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
        database_url,
        open=False,
        min_size=2,
        max_size=settings.pool_size,
        timeout=POOL_WAIT_S,
        kwargs={"autocommit": True, "row_factory": dict_row, "connect_timeout": 5},
        check=AsyncConnectionPool.check_connection,  # after a restart of Postgres nobody is lent a dead connection
        name="monitor",
    )
    return Services(
        settings=settings,
        data=data,
        database_url=database_url,
        pool=pool,
        redis=bus.connect_async(data.redis()),
        tokens=Tokens(token_key(settings, data.keys_dir), settings.token_minutes),
        attempts=Attempts(settings.login_attempts_per_minute),
    )


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    services: Services = app.state.services
    await services.pool.open(wait=False)  # the monitor starts, and says so, even while Postgres is away
    hub = app.state.hub = Hub(services)
    hub.start()
    try:
        yield
    finally:
        await hub.stop()
        await services.redis.aclose()
        await services.pool.close()


def _schema_router(app: FastAPI) -> Any:
    router = routing.authorised(Role.viewer, "schema")

    @router.get("/openapi.json", summary="This API, described")
    async def schema() -> dict[str, Any]:
        return app.openapi()

    return router
