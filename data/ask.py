"""DuckDB over the lake and Postgres in one question: `data.sql("select … from bars join ledger.fills …")`.

`bars` is the bars that the arguments choose; nobody sees an answer before every byte of their files is checked.  A
table of Postgres is `ledger.{name}`: read whole, as it is now.
"""

import json
from collections.abc import Sequence
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import polars as pl
from psycopg import Connection
from psycopg import sql as quoted
from psycopg.rows import DictRow

from data import catalog, query
from data.bar import BAR_SCHEMA
from data.catalog import Piece
from data.errors import UsageError
from data.ingest import dataset_of
from data.pieces import read_pieces
from data.postgres import connect
from data.storage import Folder, Storage, lake_storage
from data.verifying import Verifying, verifying

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

LEDGER: Final = "ledger"
LEDGER_ROWS_MAX: Final = 5_000_000  # of one table; more does not belong into the memory of a question

# What Postgres calls a type, and what a frame holds of it; all others come as text.
_TYPES: Final[dict[str, pl.DataType]] = {
    "bool": pl.Boolean(),
    "int2": pl.Int64(),
    "int4": pl.Int64(),
    "int8": pl.Int64(),
    "float4": pl.Float64(),
    "float8": pl.Float64(),
    "numeric": pl.Float64(),
    "date": pl.Date(),
    "timestamptz": pl.Datetime("us", "UTC"),
}


def sql(
    question: str,
    symbols: str | Sequence[str] | None = None,
    timeframe: str = "1m",
    start: date | datetime | None = None,
    end: date | datetime | None = None,
    *,
    source: str = "synthetic",
    as_of: int | None = None,
    database_url: str | None = None,
    storage: Storage | None = None,
) -> pl.DataFrame:
    """The answer to one select.  The arguments say which bars `bars` is: those that `data.bars` would give."""
    import duckdb

    storage = storage or lake_storage()
    with verifying(storage) as verify:
        try:
            named = _tables(_shared(), question)
            # A question that brings tables of its own gets an engine of its own; starting one takes 20 ms.
            engine = _new_engine() if any(schema == LEDGER for schema, _ in named) else _shared().cursor()
            try:
                engine.execute("set timezone = 'UTC'").fetchall()
                for schema, table in sorted(named):
                    if schema == LEDGER:
                        _attach_ledger(engine, table, database_url)
                    elif (schema, table) == ("", "bars"):
                        found = _chosen(symbols, timeframe, start, end, source, as_of, database_url)
                        _attach_bars(engine, found, start, end, storage, verify)
                answer: pl.DataFrame = engine.sql(question).pl()
            finally:
                engine.close()
        except duckdb.Error as error:
            verify.all_are_well()  # or its words would be about what a damaged file did to it
            raise _not_answered(str(error)) from error
    return answer


@lru_cache(maxsize=1)
def _shared() -> "DuckDBPyConnection":
    return _new_engine()


def _new_engine() -> "DuckDBPyConnection":
    import duckdb

    # A question names tables, never variables of this program.
    return duckdb.connect(config={"python_enable_replacements": False})


def _tables(engine: "DuckDBPyConnection", question: str) -> set[tuple[str, str]]:
    """The tables that a select names, as (schema, name)."""
    ((told,),) = engine.cursor().execute("select json_serialize_sql(?::varchar)", [question]).fetchall()
    parsed = json.loads(told)
    if parsed.get("error", True):
        raise _not_answered(parsed.get("error_message", "it is empty"))
    if len(parsed["statements"]) != 1:
        raise _not_answered(f"there are {len(parsed['statements'])} statements in it")
    found: set[tuple[str, str]] = set()
    pending: list[Any] = [parsed]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            if node.get("type") == "BASE_TABLE":
                found.add((node.get("schema_name", "").lower(), node["table_name"].lower()))
            pending += node.values()
        elif isinstance(node, list):
            pending += node
    return found


def _not_answered(why: str) -> UsageError:
    return UsageError(
        f"DuckDB does not answer that: {why.splitlines()[0]}", f"Ask one select of bars and {LEDGER}.TABLE."
    )


def _chosen(
    symbols: str | Sequence[str] | None,
    timeframe: str,
    start: date | datetime | None,
    end: date | datetime | None,
    source: str,
    as_of: int | None,
    database_url: str | None,
) -> list[Piece]:
    if symbols is None:
        with connect(database_url) as connection:
            dataset = dataset_of(source, timeframe)
            symbols = [row["symbol"] for row in catalog.summary(connection) if row["dataset"] == dataset]
    return query.find_near(
        query.names(symbols), timeframe, start, end, source=source, as_of=as_of, database_url=database_url
    )


def _attach_bars(
    engine: "DuckDBPyConnection",
    found: Sequence[Piece],
    start: date | datetime | None,
    end: date | datetime | None,
    storage: Storage,
    verify: Verifying,
) -> None:
    """Files of which all is wanted are read by DuckDB itself, while their bytes are verified beside it."""
    relations = []
    by_path = isinstance(storage, Folder)
    if parts := [piece for piece in found if piece.spans is not None or not by_path]:
        engine.register("bars_of_parts", read_pieces(storage, parts).to_arrow())
        relations.append("select * from bars_of_parts")
    if isinstance(storage, Folder) and (whole := [piece for piece in found if piece.spans is None]):
        paths = [verify.path(storage, piece) for piece in whole]
        relations.append(f"select {', '.join(BAR_SCHEMA)} from {_parquet(paths)}")
    conditions = [
        f"ts_utc {operator} timestamptz '{query.instant(moment).isoformat()}'"
        for operator, moment in ((">=", start), ("<", end))
        if isinstance(moment, datetime)
    ]
    where = f" where {' and '.join(conditions)}" if conditions else ""
    engine.execute(
        f"create temp view bars as select * from ({' union all '.join(relations)}){where}"
    ).fetchall()


def _parquet(paths: Sequence[Path]) -> str:
    listed = ", ".join("'" + str(path).replace("'", "''") + "'" for path in paths)
    return f"read_parquet([{listed}])"


def _attach_ledger(engine: "DuckDBPyConnection", table: str, database_url: str | None) -> None:
    with connect(database_url) as connection:
        frame = ledger(connection, table)
    engine.register(f"told_{table}", frame.to_arrow())
    engine.execute(f"create schema if not exists {LEDGER}").fetchall()
    engine.execute(f'create table {LEDGER}."{table}" as select * from "told_{table}"').fetchall()


def ledger(connection: Connection[DictRow], table: str) -> pl.DataFrame:
    """A table or view of Postgres as a frame, read in one COPY."""
    columns = connection.execute(
        "select attname as name, typname as kind from pg_attribute join pg_type on pg_type.oid = atttypid "
        "where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped order by attnum",
        [quoted.Identifier(table).as_string(connection)],
    ).fetchall()
    if not columns:
        raise UsageError(f"Postgres has no table {table!r}", "See docs/data.md for the tables there are.")
    names = quoted.SQL(", ").join(quoted.Identifier(column["name"]) for column in columns)
    copy_out = quoted.SQL("copy (select {} from {} limit {}) to stdout (format csv)").format(
        names, quoted.Identifier(table), quoted.Literal(LEDGER_ROWS_MAX + 1)
    )
    connection.execute("set local timezone = 'UTC'")
    connection.execute("set local datestyle = 'ISO'")
    with connection.cursor().copy(copy_out) as copy:
        written = b"".join(bytes(block) for block in copy)
    told = {column["name"]: column["kind"] for column in columns}
    frame = _from_csv(written, told)
    if frame.height > LEDGER_ROWS_MAX:
        raise UsageError(
            f"the table {table} has more than {LEDGER_ROWS_MAX:,} rows",
            "Ask Postgres itself, or a view of fewer rows.",
        )
    return frame


def _from_csv(written: bytes, told: dict[str, str]) -> pl.DataFrame:
    if not written:
        return pl.DataFrame(schema={name: _TYPES.get(kind, pl.String()) for name, kind in told.items()})
    text = pl.read_csv(written, has_header=False, schema={name: pl.String() for name in told})
    return text.select(_typed(name, kind) for name, kind in told.items())


def _typed(name: str, kind: str) -> pl.Expr:
    column = pl.col(name)
    match kind:
        case "bool":
            return column == "t"
        case "date":
            return column.str.to_date("%Y-%m-%d", strict=False)  # not "infinity"
        case "timestamptz":  # 2026-10-01 13:30:00.25+00
            return column.str.to_datetime(
                "%Y-%m-%d %H:%M:%S%.f%#z", time_unit="us", time_zone="UTC", strict=False
            )
        case _ if kind in _TYPES:
            return column.cast(_TYPES[kind])
    return column
