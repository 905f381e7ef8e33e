"""One shape for everything that goes wrong: {"error": {"what", "fix", "code"}}."""

from typing import Any, Final

import psycopg
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from psycopg_pool import PoolTimeout
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from data.errors import Corrupt, Refused, SlipwayError, Unavailable, UsageError

_log = structlog.get_logger()


class Problem(BaseModel):
    """What went wrong, what to do about it, and a word that programs can branch on."""

    what: str
    fix: str
    code: str


class ErrorAnswer(BaseModel):
    """The body of every answer that is not a success."""

    error: Problem = Field(description="what happened and why, how to fix it, and a stable code")


class NotAuthenticated(Refused):
    """Nobody knows who is asking."""


class TokenExpired(NotAuthenticated):
    """We knew who was asking, a while ago."""


class Forbidden(Refused):
    """The person's role does not allow it."""


class TooManyAttempts(Refused):
    """Somebody is guessing passwords."""


class NotFound(UsageError):
    """There is nothing by that name."""


# Subclasses before their parents: the first match wins.
STATUS: Final[tuple[tuple[type[SlipwayError], int, str], ...]] = (
    (TokenExpired, 401, "token_expired"),
    (NotAuthenticated, 401, "not_authenticated"),
    (Forbidden, 403, "forbidden"),
    (TooManyAttempts, 429, "too_many_attempts"),
    (NotFound, 404, "not_found"),
    (UsageError, 400, "usage"),
    (Refused, 409, "refused"),
    (Unavailable, 503, "unavailable"),
    (Corrupt, 500, "corrupt"),
    (SlipwayError, 500, "failed"),
)

EXTRA_HEADERS: Final = {401: {"WWW-Authenticate": "Bearer"}, 429: {"Retry-After": "60"}}


def problem_of(error: SlipwayError) -> tuple[int, Problem]:
    """The HTTP status and the body that tell this error."""
    for kind, status, code in STATUS:
        if isinstance(error, kind):
            return status, Problem(what=error.what, fix=error.fix, code=code)
    raise AssertionError("every SlipwayError has a row in STATUS")


def ledger_unavailable() -> Unavailable:
    return Unavailable(
        "the ledger (Postgres) does not answer", "See `./slipway status`, start with `./slipway up`."
    )


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI's description of the errors a route answers with."""
    return {status: {"model": ErrorAnswer, "description": _DESCRIPTION[status]} for status in statuses}


_DESCRIPTION: Final = {
    400: "The request makes no sense.",
    401: "No token, or one that is no longer good.",
    403: "Your role does not allow this.",
    404: "There is nothing by that name.",
    409: "A limit, a gate or a state says no.",
    422: "The request does not have the documented shape.",
    429: "Too many attempts; wait for as long as Retry-After says.",
    500: "A defect or damaged data; the server's log has the details.",
    503: "A service that this needs does not answer.",
}


def install(app: FastAPI) -> None:
    """Every exception leaves in the one shape."""

    @app.exception_handler(SlipwayError)
    async def known(_request: Request, error: SlipwayError) -> JSONResponse:
        status, problem = problem_of(error)
        return _answer(status, problem, EXTRA_HEADERS.get(status))

    @app.exception_handler(psycopg.OperationalError)
    @app.exception_handler(PoolTimeout)
    async def ledger(_request: Request, error: Exception) -> JSONResponse:
        _log.warning("postgres does not answer", error=str(error))
        return _answer(*problem_of(ledger_unavailable()))

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        # Only the first finding and never the value: it may have been a password.
        problem = Problem(
            what=f"{place}: {first['msg']}", fix="Send what /api/openapi.json describes.", code="invalid"
        )
        return _answer(422, problem)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        what = f"{request.method} {request.url.path}: {error.detail}"
        fix = "See /api/openapi.json for what there is."
        code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "http")
        return _answer(error.status_code, Problem(what=what, fix=fix, code=code), error.headers)

    @app.exception_handler(Exception)
    async def defect(request: Request, error: Exception) -> JSONResponse:
        _log.error("a request failed", method=request.method, path=request.url.path, exc_info=error)
        problem = Problem(
            what="the monitor failed on this request", fix="See its log: `./slipway logs api`.", code="defect"
        )
        return _answer(500, problem)


def _answer(status: int, problem: Problem, headers: Any = None) -> JSONResponse:
    return JSONResponse(ErrorAnswer(error=problem).model_dump(), status_code=status, headers=headers)
