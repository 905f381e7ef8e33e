"""The schema of the ledger, as alembic migrations.  `upgrade(url)` brings a database to the newest one."""

from pathlib import Path

from data.errors import Unavailable

HERE = Path(__file__).parent


def sqlalchemy_url(database_url: str) -> str:
    """SQLAlchemy 2.1 reads `postgresql://` as psycopg 3, which is what we want; say so explicitly."""
    return database_url.replace("postgresql://", "postgresql+psycopg://", 1)


def upgrade(database_url: str, revision: str = "head") -> None:
    """Bring the database to `revision`; a database that is already there is left alone."""
    from alembic import command
    from alembic.config import Config
    from sqlalchemy.exc import OperationalError

    config = Config()
    config.set_main_option("script_location", str(HERE).replace("%", "%%"))
    config.attributes["url"] = sqlalchemy_url(database_url)
    try:
        command.upgrade(config, revision)
    except OperationalError as error:
        reason = str(error.orig).splitlines()[0]
        raise Unavailable(
            f"Postgres did not answer while migrating: {reason}",
            "Check `./slipway status`, or SLIPWAY_DATABASE_URL.",
        ) from error
