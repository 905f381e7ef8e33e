"""The thin thread: catalog, candles, registry, order flow, screens."""

from alembic import op

revision = "0001"
down_revision = None

MARKET_DATA = """
-- One row per publication; a snapshot id is the catalog as one transaction left it.
create table snapshots (
    id          bigint generated always as identity primary key,
    created_at  timestamptz not null default clock_timestamp(),
    note        text not null default ''
);

-- One row per partition revision.  Visible in snapshot s when since <= s and (until is null or until > s).
create table catalog (
    id           bigint generated always as identity primary key,
    dataset      text not null,                     -- bars/{source}/{timeframe}
    symbol       text not null,
    session      date not null,
    revision     int  not null check (revision >= 1),
    path         text not null,                     -- key below the lake's root
    rows         int  not null check (rows >= 0),
    min_ts_utc   timestamptz,
    max_ts_utc   timestamptz,
    sha256       text not null,
    quality      text not null check (quality in ('passed', 'warned', 'failed')),
    findings     jsonb not null default '[]',
    quarantined  int  not null default 0,
    source       text not null,
    since        bigint not null references snapshots (id),
    until        bigint references snapshots (id),
    created_at   timestamptz not null default clock_timestamp(),
    superseded_at timestamptz,
    unique (dataset, symbol, session, revision)
);
create unique index catalog_current on catalog (dataset, symbol, session) where until is null;

create table candles (
    source    text not null,
    timeframe text not null,
    symbol    text not null,
    ts_utc    timestamptz not null,
    open      double precision not null,
    high      double precision not null,
    low       double precision not null,
    close     double precision not null,
    volume    double precision not null,
    primary key (source, timeframe, symbol, ts_utc)
) partition by range (ts_utc);
"""

REGISTRY = """
create table strategies (
    id          bigint generated always as identity primary key,
    name        text not null unique,
    created_at  timestamptz not null default clock_timestamp()
);

create table versions (
    id            bigint generated always as identity primary key,
    strategy_id   bigint not null references strategies (id),
    number        int  not null check (number >= 1),
    artifact_hash text not null unique,
    stage         text not null default 'candidate' check (stage in ('candidate', 'paper', 'live', 'retired')),
    author        text not null,
    manifest      jsonb not null,
    published_at  timestamptz not null default clock_timestamp(),
    unique (strategy_id, number)
);
-- At most one version of a strategy trades on a stage.
create unique index versions_trading on versions (strategy_id, stage) where stage in ('paper', 'live');

create table gate_evidence (
    id          bigint generated always as identity primary key,
    version_id  bigint not null references versions (id),
    gate        text not null,
    verdict     text not null check (verdict in ('pass', 'fail')),
    evidence    jsonb not null,
    measured_at timestamptz not null default clock_timestamp()
);
create index gate_evidence_newest on gate_evidence (version_id, gate, id desc);

-- Append-only, chained: hash = sha256(previous hash | canonical row).
create table audit (
    id        bigint primary key,
    at        timestamptz not null,
    actor     text not null,
    action    text not null,
    subject   text not null,
    detail    jsonb not null,
    previous  text not null,
    hash      text not null unique
);
create function audit_is_append_only() returns trigger language plpgsql as $$
begin
    raise exception 'the audit log is append-only';
end $$;
create trigger audit_append_only before update or delete or truncate on audit
    for each statement execute function audit_is_append_only();
"""

ORDER_FLOW = """
create table accounts (
    name        text primary key,
    broker      text not null check (broker in ('sim', 'alpaca-paper', 'alpaca-live')),
    cash        numeric not null,                   -- at opening
    event_seq   bigint not null default 0,          -- last event told to screens
    created_at  timestamptz not null default clock_timestamp()
);

-- Who may send for an account.  The epoch only rises; a sender with an older one is fenced off.
create table lease (
    account      text primary key references accounts (name),
    epoch        bigint not null,
    holder       text not null,
    taken_at     timestamptz not null default clock_timestamp(),
    heartbeat_at timestamptz not null default clock_timestamp(),
    status       jsonb not null default '{}'        -- what the engine last said of itself
);

create table controls (
    account          text primary key references accounts (name),
    mode             text not null default 'running' check (mode in ('running', 'paused', 'killed')),
    reason           text not null default '',
    actor            text not null default '',
    changed_at       timestamptz not null default clock_timestamp(),
    verified_flat_at timestamptz                    -- set once the broker itself showed no position and no order
);

create table orders (
    coid          text primary key,
    account       text not null references accounts (name),
    decision_key  text not null unique,
    state         text not null check (state in ('INTENT', 'SENDING', 'ACKED', 'PARTIAL', 'FILLED', 'CANCELED',
                                                 'REJECTED', 'EXPIRED', 'ABANDONED')),
    epoch         bigint,
    attempts      int not null default 0,
    broker_id     text unique,
    artifact_hash text,                             -- null: sent by an operator (kill, flatten)
    strategy      text not null,
    symbol        text not null,
    side          text not null check (side in ('buy', 'sell')),
    order_type    text not null default 'market',
    time_in_force text not null default 'day',
    qty           numeric not null check (qty > 0),
    filled_qty    numeric not null default 0 check (filled_qty >= 0 and filled_qty <= qty),
    target        double precision,
    reduces       boolean not null default false,   -- it can only bring the position nearer to zero
    bar_ts_utc    timestamptz not null,             -- open of the bar whose close decided
    reference_price numeric not null,               -- that close; what risk counts with
    body_hash     text not null,
    expires_at    timestamptz not null,
    parent        text references orders (coid),
    reason        text not null default '',
    decided_at    timestamptz not null,             -- the bar reached the engine
    created_at    timestamptz not null default clock_timestamp(),
    sent_at       timestamptz,
    acked_at      timestamptz,
    updated_at    timestamptz not null default clock_timestamp()
);
create index orders_open on orders (account, state) where state in ('INTENT', 'SENDING', 'ACKED', 'PARTIAL');
create index orders_newest on orders (account, created_at desc);
create index orders_of_book on orders (account, artifact_hash, symbol, bar_ts_utc desc);

create table fills (
    account      text not null references accounts (name),
    execution_id text not null,
    coid         text not null references orders (coid),
    symbol       text not null,
    side         text not null check (side in ('buy', 'sell')),
    qty          numeric not null check (qty > 0),
    price        numeric not null check (price > 0),
    commission   numeric not null default 0,
    broker_seq   bigint,                            -- order in which the broker told them
    bar_ts_utc   timestamptz,                       -- the simulated market's bar, null at a real broker
    filled_at    timestamptz not null,
    received_at  timestamptz not null default clock_timestamp(),
    heard_by     text not null check (heard_by in ('stream', 'reconcile')),
    primary key (account, execution_id)
);
create index fills_newest on fills (account, received_at desc);
create index fills_of_order on fills (coid);

-- Derived: always rebuildable from fills.
create table positions (
    account       text not null references accounts (name),
    symbol        text not null,
    qty           numeric not null,
    average_entry numeric not null,
    realised      numeric not null default 0,
    updated_at    timestamptz not null default clock_timestamp(),
    primary key (account, symbol)
);

-- What the broker said, word for word, when we could not make sense of it.
create table raw_events (
    id          bigint generated always as identity primary key,
    account     text not null references accounts (name),
    received_at timestamptz not null default clock_timestamp(),
    payload     text not null,
    problem     text not null
);

-- What screens are told, numbered without gaps per account.
create table outbox (
    account    text not null references accounts (name),
    seq        bigint not null,
    kind       text not null,                       -- order | fill | position | control | run
    payload    jsonb not null,
    created_at timestamptz not null default clock_timestamp(),
    primary key (account, seq)
);
create function emit_event(of_account text, of_kind text, body jsonb) returns bigint language plpgsql as $$
declare number bigint;
begin
    -- the row lock makes commit order equal number order, so a reader that sees n has seen all below n
    update accounts set event_seq = event_seq + 1 where name = of_account returning event_seq into number;
    insert into outbox (account, seq, kind, payload) values (of_account, number, of_kind, body);
    return number;
end $$;

-- One replayed or live trading run of an engine, for the monitor, for parity and for lineage.
create table runs (
    id            bigint generated always as identity primary key,
    account       text not null references accounts (name),
    artifact_hash text not null,
    feed          text not null,
    first_session date not null,
    last_session  date not null,
    snapshot_id   bigint not null,
    started_at    timestamptz not null default clock_timestamp(),
    finished_at   timestamptz,
    bars          bigint not null default 0,
    parity        jsonb,
    unique (account, artifact_hash, first_session, last_session)
);
"""

PEOPLE = """
create table users (
    name          text primary key,
    password_hash text not null,
    role          text not null check (role in ('viewer', 'trader', 'approver', 'admin')),
    created_at    timestamptz not null default clock_timestamp(),
    disabled_at   timestamptz
);
"""


def upgrade() -> None:
    for statements in (MARKET_DATA, REGISTRY, ORDER_FLOW, PEOPLE):
        op.execute(statements)
