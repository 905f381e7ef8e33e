"""Nobody gets in who should not: every route demands a role, and the few open ones are named here."""

import subprocess
import sys

import httpx
import pytest
from fastapi import FastAPI
from running_monitor import Monitor

from api.app import create_app
from api.routing import open_doors, refuse_open_doors, routes_of
from api.security import Role

OPEN = {"/api/auth/login", "/health"}


@pytest.fixture
def app(database_url: str, redis_url: str) -> FastAPI:
    return create_app()


def test_every_route_demands_a_role_but_the_log_in_health_the_stream_and_the_page(app: FastAPI) -> None:
    without_role = {route.path for route, role in routes_of(app) if role is None}
    assert without_role == OPEN | {"/api/stream", ""}  # the stream asks in its first message; "" is the page
    assert open_doors(app) == []


def test_only_a_trader_changes_what_an_account_does(app: FastAPI) -> None:
    changing = {
        (method, route.path): role
        for route, role in routes_of(app)
        for method in route.methods or ()
        if method not in ("GET", "HEAD") and route.path not in OPEN
    }
    assert changing == {("POST", "/api/auth/renew"): Role.viewer, ("POST", "/api/control"): Role.trader}


def test_a_route_made_without_a_role_keeps_the_app_from_starting(app: FastAPI) -> None:
    @app.get("/api/forgotten")
    def forgotten() -> None: ...

    with pytest.raises(AssertionError, match="/api/forgotten"):
        refuse_open_doors(app)


def test_every_closed_route_answers_401_to_a_stranger(monitor: Monitor, app: FastAPI) -> None:
    closed = [
        (method, route.path) for route, role in routes_of(app) if role for method in route.methods or ()
    ]
    assert len(closed) >= 14
    with httpx.Client(base_url=monitor.url) as stranger:
        for method, path in closed:
            answer = stranger.request(method, str(path))
            assert answer.status_code == 401, path
            assert answer.json()["error"]["code"] == "not_authenticated"
            assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.full
def test_importing_the_monitor_loads_nothing_heavy() -> None:
    heavy = ["dagster", "vectorbt", "pandas", "matplotlib", "plotly", "numba"]
    told = subprocess.run(
        [sys.executable, "-c", f"import sys, api.app; print([m for m in {heavy} if m in sys.modules])"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert told.stdout.strip() == "[]"
