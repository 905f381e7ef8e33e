"""Database, Redis, exchange and Slipway's own services: do they answer, are they fit, is the schema the newest."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from data.errors import SlipwayError
from infra.local.doctor.findings import Finding, note, of_error, problem
from infra.local.kept import Kind
from infra.local.orphans import orphans
from infra.local.reach import ask_exchange, open_database, open_redis, where
from infra.local.schema import newest, revisions
from infra.local.site import Site

# The oldest on which the migrations were run, Debian 12's; they were on 16 and 18, too.
POSTGRES_OLDEST: Final = 150_000
# The oldest line that its makers still mend; redis-py's HELLO needs 6. Every Valkey stands in for a Redis 7.2.
REDIS_OLDEST: Final = (6, 2)
CLOCKS_APART_S_MAX: Final = 1.0  # orders and bars of two machines are compared by time
RESTART: Final = "Run `./slipway down` and `./slipway up`."
UP: Final = "Run `./slipway up`."


def examine_database(site: Site) -> Iterator[Finding]:
    """The embedded one only where it runs: that it does not is told elsewhere, once."""
    external = site.data.database_url is not None
    if not external and "postgres" not in orphans(site):
        return
    try:
        url = site.database_url()
        with open_database(url, "SLIPWAY_DATABASE_URL") as connection:
            asked_at = datetime.now(UTC)
            row = connection.execute(
                "SELECT clock_timestamp(), current_setting('server_version_num')::int,"
                " current_setting('server_version'), (SELECT count(*) FROM pg_stat_activity),"
                " to_regclass('alembic_version') IS NOT NULL"
            ).fetchone()
            answered_at = datetime.now(UTC)
            assert row is not None, "a SELECT without FROM has one row"
            there, number, version, connections, is_migrated = row
            revisions = (
                connection.execute("SELECT version_num FROM alembic_version").fetchall()
                if is_migrated
                else []
            )
    except SlipwayError as error:
        yield problem("database", error.what, error.fix if external else RESTART)
        return
    found = f"PostgreSQL {version}, {connections} connections" + (
        f", external at {where(url)}" if external else ""
    )
    if number < POSTGRES_OLDEST:
        yield problem("database", found, f"Use PostgreSQL {POSTGRES_OLDEST // 10_000} or newer.")
    else:
        yield Finding("database", found)
    yield schema({str(revision) for (revision,) in revisions})
    yield clocks_apart(there, asked_at, answered_at)


def schema(there: set[str]) -> Finding:
    head = newest()
    if there == {head}:
        return Finding("schema", f"at the newest migration, {head}")
    if unknown := there - revisions():
        return problem(
            "schema",
            f"at {', '.join(sorted(unknown))}, which this checkout does not know",
            "Update this checkout: a newer one has migrated the database.",
        )
    return problem("schema", f"at {', '.join(sorted(there)) or 'nothing'}, the newest is {head}", UP)


def clocks_apart(there: datetime, asked_at: datetime, answered_at: datetime) -> Finding:
    """By how much the clocks differ at least: the question's way and the answer's may each have taken all the time."""
    apart = max(asked_at - there, there - answered_at, timedelta(0)).total_seconds()
    what = "database's clock"
    if apart > CLOCKS_APART_S_MAX:
        fix = "Let both machines keep time (`timedatectl set-ntp true`)."
        return problem(what, f"{apart:.1f} s apart from this machine's", fix)
    return Finding(
        what, f"within {max(apart, (answered_at - asked_at).total_seconds()):.3f} s of this machine's"
    )


def examine_redis(site: Site) -> Iterator[Finding]:
    external = site.data.redis_url is not None
    if not external and "valkey" not in orphans(site):
        return
    try:
        url = site.redis_url()
        with open_redis(url, "SLIPWAY_REDIS_URL") as client:
            facts: dict[str, Any] = client.info()
    except SlipwayError as error:
        yield problem("redis", error.what, error.fix if external else RESTART)
        return
    yield from of_redis(facts, f", external at {where(url)}" if external else "")


def of_redis(facts: dict[str, Any], place: str) -> Iterator[Finding]:
    # Valkey also says which Redis it stands in for.
    version = facts.get("valkey_version") or facts["redis_version"]
    found = (
        f"{facts.get('server_name', 'redis')} {version}, {facts.get('used_memory_human', '?')} in use{place}"
    )
    oldest = ".".join(map(str, REDIS_OLDEST))
    if tuple(int(part) for part in str(facts["redis_version"]).split(".")[:2]) < REDIS_OLDEST:
        yield problem("redis", found, f"Use Redis {oldest}, Valkey or newer.")
    else:
        yield Finding("redis", found)
    policy, limit = str(facts.get("maxmemory_policy", "noeviction")), int(facts.get("maxmemory", 0))
    if place and policy.startswith("allkeys"):
        yield problem(
            "redis eviction",
            f"{policy}: a full server drops market data and hints that engines wait for",
            "Set maxmemory-policy to noeviction there.",
        )
    elif place and policy != "noeviction":
        yield note(
            "redis eviction", f"{policy}: drops what expires anyway", "noeviction is what Slipway expects."
        )
    elif limit and int(facts.get("used_memory", 0)) > 0.9 * limit:
        yield note(
            "redis memory", f"{facts['used_memory_human']} of {limit / 1e6:.0f} MB", "Give it more memory."
        )


def examine_exchange(site: Site) -> Iterator[Finding]:
    if not (url := site.data.exchange_url):
        return  # ours is a service like others
    try:
        ask_exchange(url, "SLIPWAY_EXCHANGE_URL")
        yield Finding("exchange", f"external at {where(url)}")
    except SlipwayError as error:
        yield of_error("exchange", error)


def of_services(rows: list[dict[str, Any]], *, is_supervised: bool) -> Iterator[Finding]:
    """What the supervisor says of the services; of external ones the checks above say more."""
    if not is_supervised:
        if left := [row["name"] for row in rows if row["state"] == "orphaned"]:
            yield problem("services", f"{', '.join(left)} run on though their supervisor was killed", UP)
        else:
            yield problem("services", "the local system is not running", "Start it with `./slipway up`.")
        return
    for row in rows:
        if row["kind"] == Kind.EXTERNAL:
            continue
        restarts = f", {row['restarts']} restarts, the last because {row['note']}" if row["restarts"] else ""
        if row["state"] == "ready":
            yield note(row["name"], f"ready{restarts}") if restarts else Finding(row["name"], "ready")
        elif row["failed"]:
            yield problem(row["name"], row["note"], row["fix"])
        elif row["state"] == "stopped" and row["by_default"]:
            yield note(row["name"], "stopped", UP)
        elif row["state"] != "stopped":
            yield note(row["name"], f"{row['state']}{restarts}")
