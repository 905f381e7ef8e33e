"""Passwords, tokens, roles, and the first user."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey
from running_monitor import PASSWORD, Monitor

from api.errors import NotAuthenticated, TokenExpired
from api.security import AUDIENCE, ISSUER, Tokens, ensure_admin, read_login, token_key
from api.settings import ApiSettings
from data.errors import Refused
from data.settings import DataSettings

KEY = "k" * 64


def ask(monitor: Monitor, token: str, path: str = "/api/auth/me") -> httpx.Response:
    return httpx.get(monitor.url + path, headers={"Authorization": f"Bearer {token}"})


def forge(key: str = KEY, **changes: Any) -> str:
    """A token of our own making; a claim set to None is left out."""
    now = int(time.time())
    claims = {
        "sub": "viewer",
        "iss": ISSUER,
        "aud": AUDIENCE,
        "iat": now,
        "exp": now + 60,
        "auth_time": now,
    }
    claims = {name: value for name, value in (claims | changes).items() if value is not None}
    return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(key))


def read(token: str) -> str:
    return Tokens(KEY, minutes=15).read(token).name


@pytest.mark.full
def test_a_log_in_gives_a_token_that_opens_the_doors(monitor: Monitor) -> None:
    monitor.add_user("ada", "trader")
    session = monitor.login("ada").json()
    assert session["role"] == "trader"
    assert ask(monitor, session["token"]).json() == {"name": "ada", "role": "trader"}


@pytest.mark.full
def test_a_wrong_name_and_a_wrong_password_look_the_same(monitor: Monitor) -> None:
    monitor.add_user("ada", "viewer")
    wrong, unknown = monitor.login("ada", "not-it"), monitor.login("nobody", "not-it")
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json() == unknown.json()


def test_a_good_forgery_is_the_control_of_the_tests_below() -> None:
    assert read(forge()) == "viewer"


def test_an_expired_token_is_refused_and_says_so() -> None:
    with pytest.raises(TokenExpired):
        read(forge(exp=int(time.time()) - 1))


@pytest.mark.parametrize("claim", ["exp", "iat", "sub", "iss", "aud", "auth_time"])
def test_a_token_without_one_of_its_claims_is_refused(claim: str) -> None:
    with pytest.raises(NotAuthenticated):
        read(forge(**{claim: None}))


@pytest.mark.parametrize(
    "change", [{"iss": "somebody"}, {"aud": "elsewhere"}, {"exp": "soon"}, {"auth_time": "x"}]
)
def test_a_token_for_something_else_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(NotAuthenticated):
        read(forge(**change))


def test_a_token_signed_by_somebody_else_or_by_nobody_is_refused() -> None:
    unsigned = forge().rsplit(".", 1)[0] + "."
    for token in (forge("f" * 64), unsigned, "", "x", "a.b.c", "\udcff"):
        with pytest.raises(NotAuthenticated):
            read(token)


@pytest.mark.full
def test_a_bad_token_opens_no_door(monitor: Monitor) -> None:
    monitor.token("viewer")
    assert ask(monitor, forge(monitor.key)).status_code == 200
    for token, code in ((forge(monitor.key, exp=1), "token_expired"), (forge(), "not_authenticated")):
        answer = ask(monitor, token)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, code)


def test_a_viewer_may_not_kill(monitor: Monitor) -> None:
    with monitor.client("viewer") as viewer:
        wanted = {"account": "paper", "mode": "killed", "reason": "because"}
        answer = viewer.post("/api/control", json=wanted)
    assert answer.status_code == 403
    assert "trader" in answer.json()["error"]["what"]


def test_a_disabled_user_is_out_at_once(monitor: Monitor) -> None:
    token = monitor.token("viewer")
    with psycopg.connect(monitor.database_url) as connection:
        connection.execute("update users set disabled_at = now()")
    assert ask(monitor, token).status_code == 401


def test_a_demotion_counts_at_once(monitor: Monitor) -> None:
    token = monitor.token("admin")
    with psycopg.connect(monitor.database_url) as connection:
        connection.execute("update users set role = 'viewer'")
    assert ask(monitor, token).json()["role"] == "viewer"


def test_a_session_can_be_renewed_until_it_is_over(monitor: Monitor) -> None:
    monitor.token("viewer")
    began = int(time.time()) - 3600
    renew = {"Authorization": f"Bearer {forge(monitor.key, auth_time=began)}"}
    renewed = httpx.post(f"{monitor.url}/api/auth/renew", headers=renew).json()
    assert Tokens(monitor.key, 15).read(renewed["token"]).logged_in_at == began

    began = int(time.time()) - 13 * 3600
    renew = {"Authorization": f"Bearer {forge(monitor.key, auth_time=began)}"}
    answer = httpx.post(f"{monitor.url}/api/auth/renew", headers=renew)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "token_expired")


@pytest.mark.full
def test_guessing_is_slowed_down_per_name(start_monitor: Callable[..., Monitor]) -> None:
    monitor = start_monitor(login_attempts_per_minute=2)
    monitor.add_user("ada", "viewer")
    assert [monitor.login("ada", "no").status_code for _ in range(3)] == [401, 401, 429]
    locked = monitor.login("ada")  # the right password helps no more
    assert (locked.status_code, locked.headers["retry-after"]) == (429, "60")
    assert monitor.login("bob").status_code == 401


def test_the_token_key_is_made_once_and_for_its_owner_only(state_dir: Path) -> None:
    keys = state_dir / "keys"
    first = token_key(ApiSettings(), keys)
    assert token_key(ApiSettings(), keys) == first
    assert (keys / "api-token.key").stat().st_mode & 0o777 == 0o600


@pytest.mark.full
def test_the_first_admin_is_made_once_and_shown_in_a_private_file(database_url: str, state_dir: Path) -> None:
    name, password = ensure_admin(database_url)
    assert password is not None
    assert ensure_admin(database_url) == (name, None)
    assert read_login(state_dir) == (name, password)
    assert (state_dir / "run" / "login.json").stat().st_mode & 0o777 == 0o600
    with psycopg.connect(database_url) as connection:
        stored = connection.execute("select password_hash, role from users").fetchall()
    assert [(row[0][:9], row[1]) for row in stored] == [("$argon2id", "admin")]
    assert password not in json.dumps(stored)


@pytest.mark.full
def test_the_first_admin_can_log_in(monitor: Monitor) -> None:
    name, password = ensure_admin(monitor.database_url)
    assert password is not None
    assert monitor.login(name, password).json()["role"] == "admin"


@pytest.mark.full
def test_production_makes_up_no_password(database_url: str, state_dir: Path) -> None:
    production = DataSettings(env="production")
    with pytest.raises(Refused, match="SLIPWAY_API_ADMIN_PASSWORD"):
        ensure_admin(database_url, ApiSettings(), production)
    with pytest.raises(Refused, match="easy to guess"):
        ensure_admin(database_url, ApiSettings(admin_password="admin-123456789"), production)
    assert ensure_admin(database_url, ApiSettings(admin_password=PASSWORD), production) == ("admin", PASSWORD)
    assert not (state_dir / "run" / "login.json").exists()


@pytest.mark.parametrize(
    ("weak", "named"),
    [
        ({}, "SLIPWAY_API_ALLOWED_HOSTS"),
        ({"allowed_hosts": "*"}, "SLIPWAY_API_ALLOWED_HOSTS"),
        ({"allowed_hosts": "desk.example"}, "SLIPWAY_API_TOKEN_KEY"),
        ({"allowed_hosts": "desk.example", "token_key": "short"}, "SLIPWAY_API_TOKEN_KEY"),
        ({"allowed_hosts": "desk.example", "token_key": "k" * 32, "token_minutes": 90}, "TOKEN_MINUTES"),
    ],
)
def test_production_refuses_weak_settings(weak: dict[str, Any], named: str) -> None:
    with pytest.raises(Refused, match=named):
        ApiSettings(**weak).refuse_weakness()


def test_production_accepts_strong_settings() -> None:
    ApiSettings(allowed_hosts="desk.example", token_key="k" * 32).refuse_weakness()
