"""Who may call what, by construction: a router is made for a role, and the app refuses a route without one."""

from collections.abc import Iterator

from fastapi import APIRouter, Depends, FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import RouteContext, iter_route_contexts
from starlette.routing import Mount, WebSocketRoute

from api.deps import Require
from api.errors import responses
from api.security import Role

OPEN_PATHS = frozenset({"/api/auth/login", "/health"})
PAGE = "page"  # the name of the mount of static files
STREAM_PATH = "/api/stream"  # asks for the token in its first message


def authorised(role: Role, tag: str) -> APIRouter:
    """A router whose every route needs at least this role."""
    return APIRouter(
        prefix="/api",
        tags=[tag],
        dependencies=[Depends(Require(role))],
        responses=responses(401, 403, 422, 503),
    )


def open_router(tag: str) -> APIRouter:
    """A router for the few paths of OPEN_PATHS."""
    return APIRouter(tags=[tag], responses=responses(422, 503))


def routes_of(app: FastAPI) -> Iterator[tuple[RouteContext, Role | None]]:
    """Every route of the app, and the role that it demands; None when it lets anybody pass."""
    for route in iter_route_contexts(app.routes):
        dependant: Dependant | None = getattr(route, "dependant", None)
        calls = [] if dependant is None else [node.call for node in _walk(dependant)]
        yield route, max((call.role for call in calls if isinstance(call, Require)), default=None)


def open_doors(app: FastAPI) -> list[str]:
    """The routes that anybody may call although they are not meant to be open."""
    return [
        f"{sorted(route.methods or ())} {route.path}"
        for route, role in routes_of(app)
        if role is None and not _meant_open(route)
    ]


def refuse_open_doors(app: FastAPI) -> None:
    found = open_doors(app)
    assert not found, f"these routes demand no role, make their router with authorised(): {found}"


def _meant_open(route: RouteContext) -> bool:
    original = route.original_route
    if isinstance(original, Mount):
        return route.name == PAGE
    if isinstance(original, WebSocketRoute):
        return route.path == STREAM_PATH
    return route.path in OPEN_PATHS


def _walk(dependant: Dependant) -> Iterator[Dependant]:
    yield dependant
    for child in dependant.dependencies:
        yield from _walk(child)
