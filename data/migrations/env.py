"""Alembic's entry point: runs the migrations in one transaction, one migrator at a time."""

from alembic import context
from sqlalchemy import create_engine, pool, text

# Any constant will do; two migrators meet on the same one and the second waits.
MIGRATION_LOCK = 7_541_001

engine = create_engine(context.config.attributes["url"], poolclass=pool.NullPool)
with engine.connect() as connection:
    context.configure(connection=connection, transaction_per_migration=False)
    with context.begin_transaction():
        connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
        context.run_migrations()
engine.dispose()
