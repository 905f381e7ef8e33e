"""What is wrong with this machine or this checkout, and the one thing that mends each."""

import platform
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import psycopg
import redis

from data.errors import SlipwayError
from infra.local.control import Control, NotRunning
from infra.local.site import PORTS, Site

DISK_FREE_GB_MIN = 1.0  # a demo writes some 0.2 GB; Postgres stops at a full disk


@dataclass(frozen=True)
class Finding:
    """One check: what was looked at, what was found, and the fix where it is not well."""

    what: str
    found: str
    fix: str = ""

    @property
    def is_well(self) -> bool:
        return not self.fix


def examine(site: Site) -> Iterator[Finding]:
    yield Finding("python", platform.python_version())
    yield _folder(site)
    yield _disk(site)
    yield from _ports(site)
    running = list(_services(site))
    yield from running
    if all(finding.is_well for finding in running):
        yield _answers("database", lambda: _ask_postgres(site.database_url()))
        yield _answers("redis", lambda: _ask_redis(site.redis_url()))


def _folder(site: Site) -> Finding:
    try:
        site.make_folders()
    except SlipwayError as error:
        return Finding("state folder", error.what, error.fix)
    return Finding("state folder", str(site.state_dir))


def _disk(site: Site) -> Finding:
    there = site.state_dir if site.state_dir.exists() else site.state_dir.parent
    free_gb = shutil.disk_usage(there).free / 1e9
    fix = (
        ""
        if free_gb >= DISK_FREE_GB_MIN
        else f"Free some space: {DISK_FREE_GB_MIN:.0f} GB is the least to work with."
    )
    return Finding("disk", f"{free_gb:.1f} GB free", fix)


def _ports(site: Site) -> Iterator[Finding]:
    """Only ports the person chose can be in the way: others move."""
    if Control(site).is_running():
        return
    for service in PORTS:
        if site.infra.chosen_port(service):
            try:
                site.ensure_port_is_free(service, may_move=False)
            except SlipwayError as error:
                yield Finding(f"port of {service}", error.what, error.fix)


def _services(site: Site) -> Iterator[Finding]:
    try:
        services = Control(site).status()
    except NotRunning as error:
        yield Finding("services", error.what, error.fix)
        return
    for each in services:
        if each["state"] == "ready":
            yield Finding(
                each["name"], "ready" + (f", {each['restarts']} restarts" if each["restarts"] else "")
            )
        elif each["failed"]:
            yield Finding(each["name"], each["note"], each["fix"])
        elif each["by_default"]:
            yield Finding(each["name"], each["state"], "Run `./slipway up`.")


def _answers(what: str, ask: Callable[[], str]) -> Finding:
    try:
        return Finding(what, ask())
    except (psycopg.Error, redis.RedisError) as error:
        return Finding(what, str(error).splitlines()[0], "Run `./slipway down` and `./slipway up`.")


def _ask_postgres(url: str) -> str:
    with psycopg.connect(url, connect_timeout=3) as connection:
        row = connection.execute(
            "SELECT current_setting('server_version'), count(*) FROM pg_stat_activity"
        ).fetchone()
    return f"PostgreSQL {row[0]}, {row[1]} connections" if row else "no answer"


def _ask_redis(url: str) -> str:
    with redis.Redis.from_url(url, socket_timeout=3, retry=None) as client:
        facts = client.info()
    version = (
        facts.get("valkey_version") or facts["redis_version"]
    )  # Valkey also says which Redis it stands in for
    return f"{facts.get('server_name', 'redis')} {version}, {facts['used_memory_human']} in use"
