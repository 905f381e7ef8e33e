"""Who is asking: passwords (argon2), short-lived tokens (JWT), roles, and the first user."""

import json
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from pathlib import Path
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import ExpiredTokenError, JoseError
from joserfc.jwk import OctKey
from psycopg import Connection
from psycopg.errors import UndefinedTable
from psycopg.rows import DictRow
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from api.errors import NotAuthenticated, TokenExpired
from api.settings import ApiSettings, get_api_settings
from data.errors import Refused, Unavailable
from data.postgres import connect
from data.settings import DataSettings, get_settings

ISSUER: Final = "slipway"
AUDIENCE: Final = "slipway-api"
ALGORITHM: Final = "HS256"
PASSWORD_LENGTH_MIN: Final = 12

passwords: Final = PasswordHash((Argon2Hasher(),))


class Role(IntEnum):
    """Each role may do all that the ones before it may."""

    viewer = 1
    trader = 2
    approver = 3
    admin = 4


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who has proved who they are."""

    name: str
    role: Role
    logged_in_at: int  # seconds since 1970
    expires_at: int


@dataclass(frozen=True, slots=True)
class Claims:
    """What a good token says.  The role is not in it: a demotion must work at once."""

    name: str
    logged_in_at: int
    expires_at: int


@cache
def nobodys_hash() -> str:
    """Verified when the name is unknown, so that a wrong name takes as long as a wrong password."""
    return passwords.hash(secrets.token_urlsafe())


class Tokens:
    """Issues tokens and tells good ones from all others."""

    _required = jwt.JWTClaimsRegistry(
        exp={"essential": True},
        iat={"essential": True},
        sub={"essential": True},
        iss={"essential": True, "value": ISSUER},
        aud={"essential": True, "value": AUDIENCE},
        auth_time={"essential": True},
    )

    def __init__(self, key: str, minutes: int) -> None:
        self._key = OctKey.import_key(key)
        self._life_s = minutes * 60

    def issue(self, name: str, logged_in_at: int | None = None) -> tuple[str, int]:
        """A token for this person, and when it expires."""
        now = int(time.time())
        expires_at = now + self._life_s
        claims = {
            "sub": name,
            "iss": ISSUER,
            "aud": AUDIENCE,
            "iat": now,
            "exp": expires_at,
            "auth_time": logged_in_at or now,
        }
        return jwt.encode({"alg": ALGORITHM}, claims, self._key), expires_at

    def read(self, token: str) -> Claims:
        """What the token says, if we issued it and it is still good."""
        try:
            claims = jwt.decode(token, self._key, algorithms=[ALGORITHM]).claims
            self._required.validate(claims)
            return Claims(str(claims["sub"]), int(claims["auth_time"]), int(claims["exp"]))
        except ExpiredTokenError:
            raise TokenExpired("your token has expired", "Log in again.") from None
        except (JoseError, ValueError, TypeError):
            raise NotAuthenticated("the token is not one of ours", "Log in again.") from None


def token_key(settings: ApiSettings, keys_dir: Path) -> str:
    """The configured key, else the one of this machine, made when it is first needed."""
    if settings.token_key:
        return settings.token_key.get_secret_value()
    path = keys_dir / "api-token.key"
    keys_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        # Exclusive: of two processes that start together, one makes the key and both read it.
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(32))
    except FileExistsError:
        pass
    key = path.read_text().strip()
    if len(key) < 32:
        raise Refused(
            f"the token key in {path} is too short to be safe", "Remove that file; a new key is made."
        )
    return key


def ensure_admin(
    database: str, settings: ApiSettings | None = None, data: DataSettings | None = None
) -> tuple[str, str | None]:
    """The first admin's name, and the password if this call made it.

    A generated password is stored as argon2 only; its clear text goes once to <state>/run/login.json
    (0600) for `slipway demo` and `slipway status` to show.  Production never generates one.
    """
    settings, data = settings or get_api_settings(), data or get_settings()
    with _users(database) as connection:
        # Of two starters one makes the user, and the other finds it.
        connection.execute("lock table users in share row exclusive mode")
        found = connection.execute(
            "select name from users where role = 'admin' and disabled_at is null order by created_at, name limit 1"
        ).fetchone()
        if found:
            return str(found["name"]), None
        password = _first_password(settings, data)
        connection.execute(
            "insert into users (name, password_hash, role) values (%s, %s, 'admin') "
            "on conflict (name) do update "
            "set password_hash = excluded.password_hash, role = 'admin', disabled_at = null",
            [settings.admin_name, passwords.hash(password)],
        )
        if settings.admin_password is None:
            _write_login(data.state_dir, settings.admin_name, password)
    return settings.admin_name, password


@contextmanager
def _users(database: str) -> Iterator[Connection[DictRow]]:
    with connect(database) as connection:
        try:
            yield connection
        except UndefinedTable:
            raise Unavailable(
                "the database has no tables yet", "Run `./slipway up`, which makes them."
            ) from None


def read_login(state_dir: Path) -> tuple[str, str] | None:
    """The generated first log-in, while its file is there."""
    try:
        login: dict[str, Any] = json.loads((state_dir / "run" / "login.json").read_text())
        return str(login["name"]), str(login["password"])
    except (FileNotFoundError, ValueError, KeyError):
        return None


def _first_password(settings: ApiSettings, data: DataSettings) -> str:
    if settings.admin_password is None:
        if data.env == "production":
            raise Refused(
                "nobody can log in yet, and production does not make up passwords",
                f"Set SLIPWAY_API_ADMIN_PASSWORD ({PASSWORD_LENGTH_MIN} characters or more) for the first start.",
            )
        return secrets.token_urlsafe(12)
    password = settings.admin_password.get_secret_value()
    if len(password) < PASSWORD_LENGTH_MIN or password.lower().startswith(settings.admin_name.lower()):
        raise Refused(
            "the first password is too easy to guess",
            f"Set SLIPWAY_API_ADMIN_PASSWORD to {PASSWORD_LENGTH_MIN} characters or more, not the name.",
        )
    return password


def _write_login(state_dir: Path, name: str, password: str) -> None:
    path = state_dir / "run" / "login.json"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    staged = path.with_suffix(".new")
    staged.unlink(missing_ok=True)
    with os.fdopen(os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump({"name": name, "password": password}, file)
    staged.replace(path)
