"""Dagster's home: its instance file, made anew at every start so that it never names yesterday's port."""

import json
from pathlib import Path
from urllib.parse import unquote, urlsplit

from data.errors import Unavailable
from infra.local.processes import write_private


def write_home(home: Path, database_url: str) -> None:
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    # JSON is YAML. The file holds a password: only its owner may read it.
    write_private(home / "dagster.yaml", json.dumps(instance(database_url), indent=2))


def instance(database_url: str) -> dict[str, object]:
    """Everything in Postgres, nothing sent home, runs launched beside the daemon."""
    url = urlsplit(database_url)
    database = {
        "scheme": "postgresql+psycopg2",  # SQLAlchemy 2.1 would read plain postgresql:// as psycopg 3
        "hostname": url.hostname,
        "port": url.port or 5432,
        "username": unquote(url.username or ""),
        "password": unquote(url.password or ""),
        "db_name": url.path.lstrip("/"),
    }
    return {
        "storage": {"postgres": {"postgres_db": database}},
        # Queued, so that concurrency pools work; looked at each second, for a run should not wait five to start.
        "run_coordinator": {
            "module": "dagster",
            "class": "QueuedRunCoordinator",
            "config": {"dequeue_interval_seconds": 1},
        },
        "telemetry": {"enabled": False},
        "nux": {"enabled": False},
        "freshness": {"enabled": True},
    }


def create_database(server_url: str, dagster_url: str) -> None:
    """Make Dagster's database on a server of the person's own, where it is missing."""
    import psycopg
    from psycopg import sql

    name = urlsplit(dagster_url).path.lstrip("/")
    try:
        with psycopg.connect(server_url, autocommit=True, connect_timeout=5) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    except psycopg.Error as error:
        said = str(error).strip().partition("\n")[0]
        raise Unavailable(
            f"Dagster's database {name!r} could not be made: {said}",
            "Create it yourself, or let SLIPWAY_INFRA_DAGSTER_DATABASE_URL name another.",
        ) from error
