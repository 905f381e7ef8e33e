"""Candles name their series by number: a row is half as wide, and so is the primary key."""

from alembic import op

revision = "0003"
down_revision = "0002"

SERIES = """
-- No foreign key leads here: it would cost a look-up for every candle loaded.  Numbers are never reused or deleted.
create table candle_series (
    id         int generated always as identity primary key,
    source     text not null,
    timeframe  text not null,
    symbol     text not null,
    unique (source, timeframe, symbol)
);
insert into candle_series (source, timeframe, symbol)
    select distinct source, timeframe, symbol from candles order by source, timeframe, symbol;
"""

# A schema of their own frees the names of the old tables and of their indexes at once.
ASIDE = """
create schema before_candle_series;
do $$
declare child regclass;
begin
    for child in select inhrelid::regclass from pg_inherits where inhparent = 'candles'::regclass loop
        execute format('alter table %s set schema before_candle_series', child);
    end loop;
end $$;
alter table candles set schema before_candle_series;
"""

CANDLES = """
create table candles (
    series_id int not null,
    ts_utc    timestamptz not null,
    open      double precision not null,
    high      double precision not null,
    low       double precision not null,
    close     double precision not null,
    volume    double precision not null,
    primary key (series_id, ts_utc)
) partition by range (ts_utc);

-- What a person writes; filters on source, timeframe and symbol are one look-up in candle_series.
create view candles_by_symbol as
    select s.source, s.timeframe, s.symbol, c.ts_utc, c.open, c.high, c.low, c.close, c.volume
    from candles c join candle_series s on s.id = c.series_id;
"""

MOVE = """
do $$
declare
    old record;
begin
    for old in
        select c.relname as name, pg_get_expr(c.relpartbound, c.oid) as bounds
        from pg_inherits join pg_class c on c.oid = inhrelid
        where inhparent = 'before_candle_series.candles'::regclass
    loop
        execute format('create table %I (like candles) with (fillfactor = 50)', old.name);
        execute format(
            'insert into %I select s.id, o.ts_utc, o.open, o.high, o.low, o.close, o.volume '
            'from before_candle_series.%I o join candle_series s using (source, timeframe, symbol) '
            'order by s.id, o.ts_utc', old.name, old.name);
        execute format('alter table %I add primary key (series_id, ts_utc)', old.name);
        execute format('alter table candles attach partition %I %s', old.name, old.bounds);
    end loop;
end $$;
drop schema before_candle_series cascade;
"""


def upgrade() -> None:
    for statements in (SERIES, ASIDE, CANDLES, MOVE):
        op.execute(statements)
