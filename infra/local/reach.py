"""Whether a database, a Redis or an exchange can be used, and in one sentence why not.

Each way to fail is told apart, for each has another fix: an address that is none, a name nobody knows, a port where
nobody listens, silence, a wrong password. No sentence ever holds a password, so none quotes an address as given.
"""

import json
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, urlsplit

from data.errors import Unavailable, UsageError

if TYPE_CHECKING:  # each takes a tenth of a second to load, and most commands need neither
    import psycopg
    import redis

TIMEOUT_S: Final = 2  # of each step; a server that needs longer to say hello is not one to trade on
NO_PROXY: Final = urllib.request.build_opener(
    urllib.request.ProxyHandler({})
)  # http_proxy is for the world outside
DEFAULT_PORTS: Final = {"postgresql": 5432, "redis": 6379, "rediss": 6379, "http": 80, "https": 443}
EXAMPLES: Final = {
    "database": "postgresql://user:password@host:port/name",
    "redis": "redis://:password@host:port/0",
    "exchange": "http://host:port",
}


def where(url: str) -> str:
    """host:port, and nothing else of the address."""
    try:
        parts = _read("", url, "", tuple(DEFAULT_PORTS))
    except UsageError:
        return "an unreadable address"
    return f"{parts.hostname or 'a local socket'}:{parts.port or DEFAULT_PORTS[parts.scheme]}"


@contextmanager
def open_database(url: str, variable: str) -> Iterator["psycopg.Connection"]:
    """A connection to PostgreSQL."""
    import psycopg

    parts = _read("database", url, variable, ("postgresql",))
    place = where(url)
    if parts.hostname and "," not in parts.netloc:  # several hosts and local sockets: libpq knows how
        knock("database", parts.hostname, parts.port or DEFAULT_PORTS["postgresql"], variable)
    try:
        connection = psycopg.connect(url, connect_timeout=TIMEOUT_S, autocommit=True)
    except psycopg.OperationalError as error:
        raise _database_trouble(error, place, variable) from None
    except psycopg.ProgrammingError:  # quotes the address
        raise _unreadable("database", variable) from None
    with connection:
        yield connection


@contextmanager
def open_redis(url: str, variable: str) -> Iterator["redis.Redis"]:
    """A connection to Redis or Valkey that has answered."""
    import redis

    parts = _read("redis", url, variable, ("redis", "rediss", "unix"))
    place = where(url)
    if parts.scheme != "unix":
        knock("redis", parts.hostname or "localhost", parts.port or DEFAULT_PORTS["redis"], variable)
    try:
        client = redis.Redis.from_url(url, socket_timeout=TIMEOUT_S, retry=None)
    except ValueError:
        raise _unreadable("redis", variable) from None
    with client:
        try:
            client.ping()
        except redis.RedisError as error:
            raise _redis_trouble(error, place, variable) from None
        yield client


def ask_exchange(url: str, variable: str) -> dict[str, Any]:
    """What the exchange says of its health."""
    parts = _read("exchange", url, variable, ("http", "https"))
    place = where(url)
    knock("exchange", parts.hostname or "localhost", parts.port or DEFAULT_PORTS[parts.scheme], variable)
    try:
        with NO_PROXY.open(url.rstrip("/") + "/health", timeout=TIMEOUT_S) as answer:
            health = json.loads(answer.read(10_000))
    except TimeoutError:
        raise Unavailable(f"the exchange at {place} is silent", "Start it again.") from None
    except (OSError, ValueError) as error:
        said = type(error).__name__
        if isinstance(error, urllib.error.HTTPError):
            said = f"HTTP {error.code}"
            error.close()  # it is the open answer
        raise Unavailable(
            f"what answers at {place} is no exchange of Slipway ({said} at /health)", f"Correct {variable}."
        ) from None
    return health if isinstance(health, dict) else {}


def database_answers(url: str, variable: str) -> None:
    with open_database(url, variable) as connection:
        connection.execute("SELECT 1")


def redis_answers(url: str, variable: str) -> None:
    with open_redis(url, variable):
        return


def exchange_answers(url: str, variable: str) -> None:
    ask_exchange(url, variable)


def knock(what: str, host: str, port: int, variable: str) -> None:
    """Open a TCP connection and close it: name, port and silence are the three things that can be wrong."""
    try:
        socket.create_connection((host, port), TIMEOUT_S).close()
    except socket.gaierror as error:
        raise Unavailable(
            f"the {what}'s host {host!r} cannot be resolved ({error.strerror})",
            f"Correct the name in {variable}, or this machine's DNS.",
        ) from None
    except ConnectionRefusedError:
        raise Unavailable(
            f"the {what} at {host}:{port} refuses connections: nobody listens there",
            f"Start that server, or correct {variable}.",
        ) from None
    except TimeoutError:
        raise Unavailable(
            f"the {what} at {host}:{port} did not answer within {TIMEOUT_S} s",
            f"Open the network's way there (firewall, security group, VPN), or correct {variable}.",
        ) from None
    except OSError as error:
        raise Unavailable(
            f"the {what} at {host}:{port} cannot be reached: {error.strerror}",
            f"Mend this machine's network, or correct {variable}.",
        ) from None


def _read(what: str, url: str, variable: str, schemes: Sequence[str]) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises where it is no number
    except ValueError:
        raise _unreadable(what, variable) from None
    # An @ behind the host is one of a password with a slash in it: what looks like a host is then part of that.
    is_odd = "@" in parts.path + parts.query + parts.fragment
    if parts.scheme not in schemes or is_odd or (not parts.netloc and parts.scheme != "unix"):
        raise _unreadable(what, variable)
    return parts


def _unreadable(what: str, variable: str) -> UsageError:
    return UsageError(
        f"{variable} is not the address of a server of its kind",
        f"Write it as {EXAMPLES.get(what, '')}, with %40 for an @ and %2F for a slash in the password.",
    )


def _database_trouble(error: Exception, place: str, variable: str) -> Unavailable:
    from psycopg.errors import ConnectionTimeout

    if isinstance(error, ConnectionTimeout):
        return Unavailable(f"the database at {place} took the connection and is silent", "Start it again.")
    said = (str(error).strip().splitlines() or ["no reason given"])[0].rpartition("FATAL:")[2].strip()
    # The words of libpq and the server: it has no code for what fails before there is a session.
    if "password" in said or "authentication failed" in said or said.startswith("role "):
        return Unavailable(
            f"the database at {place} does not take this user and password",
            f"Correct the user and the password in {variable}.",
        )
    if said.startswith("database ") and "does not exist" in said:
        return Unavailable(
            f"at {place} the {said}", f"Create it (CREATE DATABASE), or name another in {variable}."
        )
    return Unavailable(f"the database at {place} says: {said}", f"Mend that there, or correct {variable}.")


def _redis_trouble(error: Exception, place: str, variable: str) -> Unavailable:
    import redis

    said = (str(error).strip().splitlines() or [type(error).__name__])[0]
    if isinstance(error, redis.AuthenticationError) or said.startswith(("NOAUTH", "WRONGPASS")):
        return Unavailable(
            f"the redis at {place} does not take this password", f"Correct the password in {variable}."
        )
    if isinstance(error, redis.TimeoutError):
        return Unavailable(f"the redis at {place} took the connection and is silent", "Start it again.")
    return Unavailable(f"the redis at {place} says: {said}", f"Mend that there, or correct {variable}.")
