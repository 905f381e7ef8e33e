"""The ground floor: files of the lake that hold many sessions, instruments, splits and dividends."""

from alembic import op

revision = "0002"
down_revision = "0001"

FILES = """
-- One row per immutable object of the lake that the catalog has ever named.
create table lake_files (
    id          bigint generated always as identity primary key,
    path        text not null unique,               -- key below the lake's root
    dataset     text not null,                      -- bars/{source}/{timeframe}, or quarantine/…
    symbol      text not null,
    period      text not null,                      -- 2026, or 2026/10/01
    rows        int  not null check (rows >= 0),
    sessions    int  not null check (sessions >= 0),
    bytes       bigint,                             -- null, and no blake3: catalogued before this migration
    sha256      text not null,                      -- its identity: what artifacts pin
    blake3      text,                               -- what every read checks: as strong, and four times as fast
    created_at  timestamptz not null default clock_timestamp()
);
create index lake_files_of_period on lake_files (dataset, symbol, period);

insert into lake_files (path, dataset, symbol, period, rows, sessions, sha256, created_at)
    select path, dataset, symbol, to_char(session, 'YYYY/MM/DD'), rows, 1, sha256, created_at from catalog;
"""

CATALOG = """
-- One row per session of a symbol and revision of it.  A revision is what a source told; a compaction moves it
-- to another file and leaves its number.  A revision that failed its checks while a healthy one was visible is
-- entered with until = since: on record, never visible.
alter table catalog
    add file_id            bigint references lake_files (id),
    add quarantine_file_id bigint references lake_files (id),
    add first_open         double precision,
    add last_close         double precision;
update catalog set file_id = lake_files.id from lake_files where lake_files.path = catalog.path;
alter table catalog
    alter file_id set not null,
    drop constraint catalog_dataset_symbol_session_revision_key,
    -- The one writer makes a snapshot and its rows in one transaction; checking each row again costs as much as
    -- all the rest of a backfill's entry.
    drop constraint catalog_since_fkey,
    drop constraint catalog_until_fkey,
    drop path,
    drop sha256;
create index catalog_revisions on catalog (dataset, symbol, session, revision);
"""

INSTRUMENTS = """
create table instruments (
    source       text not null,
    symbol       text not null,
    asset_class  text not null check (asset_class in ('equity', 'crypto', 'option')),
    calendar     text not null,
    tick_size    double precision not null,
    lot          double precision not null,
    multiplier   double precision not null,
    listed       date,
    underlying   text,
    expiry       date,
    strike       double precision,
    "right"      text check ("right" in ('call', 'put')),
    updated_at   timestamptz not null default clock_timestamp(),
    primary key (source, symbol)
);

-- Splits and dividends; visible in snapshot s as a row of the catalog is.
create table corporate_actions (
    id       bigint generated always as identity primary key,
    source   text not null,
    symbol   text not null,
    session  date not null,                         -- on whose open it takes effect
    kind     text not null check (kind in ('split', 'dividend')),
    ratio    double precision check (ratio > 0),    -- of a split: new shares for one old
    amount   double precision,                      -- of a dividend: cash for one share
    since    bigint not null references snapshots (id),
    until    bigint references snapshots (id),
    check ((kind = 'split') = (ratio is not null) and (kind = 'dividend') = (amount is not null))
);
create unique index corporate_actions_current on corporate_actions (source, symbol, session, kind)
    where until is null;
"""


def upgrade() -> None:
    for statements in (FILES, CATALOG, INSTRUMENTS):
        op.execute(statements)
