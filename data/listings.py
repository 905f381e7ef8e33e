"""The instruments that were ever ingested, by source: what a symbol stands for and when it trades."""

from collections.abc import Iterable, Sequence
from dataclasses import fields

from psycopg import Connection
from psycopg.rows import DictRow

from data.instruments import Instrument

_FIELDS = [field.name for field in fields(Instrument)]
_COLUMNS = ", ".join(f'"{name}"' for name in _FIELDS)
_CHANGES = ", ".join(f'"{name}" = excluded."{name}"' for name in _FIELDS if name != "symbol")


def enter(connection: Connection[DictRow], source: str, instruments: Iterable[Instrument]) -> None:
    """Record what the source says of these; a change replaces what was there."""
    places = ", ".join(["%s"] * len(_FIELDS))
    with connection.cursor() as cursor:
        cursor.executemany(
            f"insert into instruments (source, {_COLUMNS}) values (%s, {places}) "
            f"on conflict (source, symbol) do update set {_CHANGES}, updated_at = clock_timestamp()",
            [(source, *(getattr(each, name) for name in _FIELDS)) for each in instruments],
        )


def known(
    connection: Connection[DictRow], source: str, symbols: Sequence[str] | None = None
) -> dict[str, Instrument]:
    """The instruments on record, by symbol; all of the source when none are named."""
    rows = connection.execute(
        f"select {_COLUMNS} from instruments where source = %s and (%s::text[] is null or symbol = any (%s)) "
        "order by symbol",
        [source, None if symbols is None else list(symbols), None if symbols is None else list(symbols)],
    ).fetchall()
    return {row["symbol"]: Instrument(**row) for row in rows}
