"""Runs of research are records: what each was given, what came of it; the trial ledger; holdouts."""

from alembic import op

revision = "0004"
down_revision = "0003"

RESEARCH_RUNS = """
-- One row per backtest, sweep or validation.  `runs` are those of trading engines.
create table research_runs (
    id             text primary key check (id ~ '^[0-9a-f]{16}$'),  -- how inputs_sha256 begins
    kind           text not null check (kind in ('backtest', 'sweep', 'validation')),
    family         text not null,                   -- of the strategy, as in strategies.name
    inputs         jsonb not null,                  -- all that decides the result, and nothing that does not
    inputs_sha256  text not null unique,            -- of their canonical JSON
    bars           jsonb,                           -- where they are in the lake; null: they did not come from there
    snapshot       bigint,                          -- of the catalog, as of which these bars are read again
    first_session  date not null,
    last_session   date not null,
    statistics     jsonb not null,
    outputs        jsonb not null,                  -- name -> {path, sha256, bytes} below the lake's root
    unrepeatable   text,                            -- why it cannot be run again; null: it can
    code           jsonb not null,                  -- the commit and the libraries that computed it
    created_at     timestamptz not null default clock_timestamp(),
    created_by     text not null,
    where_from     text not null,                   -- host and command, script or notebook
    check (left(inputs_sha256, 16) = id),
    check (first_session <= last_session)
);
create index research_runs_of_family on research_runs (family, first_session, last_session);
create index research_runs_newest on research_runs (created_at desc);
"""

TRIALS = """
-- The trial ledger: one entry per run that tried parameter sets.  Moments are of the annualised Sharpe ratios of
-- those sets that have one; per bar is what deflation works on.
create table trials (
    id                  bigint generated always as identity primary key,
    family              text not null,
    run_id              text not null unique references research_runs (id),
    series_id           int not null,
    sets                int not null check (sets >= 1),
    new_sets            int not null check (new_sets between 0 and sets),  -- never tried on these bars before
    sharpes             int not null check (sharpes between 0 and sets),
    best_sharpe         double precision,
    mean_sharpe         double precision,
    sharpe_variance     double precision,           -- of the sample; null below two
    bars_per_year       double precision not null check (bars_per_year > 0),
    best_sharpe_bar     double precision generated always as (best_sharpe / sqrt(bars_per_year)) stored,
    mean_sharpe_bar     double precision generated always as (mean_sharpe / sqrt(bars_per_year)) stored,
    sharpe_variance_bar double precision generated always as (sharpe_variance / bars_per_year) stored,
    symbols             text[] not null,
    timeframe           text,                       -- null: the bars did not come from the lake
    snapshot            bigint,
    first_session       date not null,
    last_session        date not null,
    who                 text not null,
    where_from          text not null,
    at                  timestamptz not null default clock_timestamp()
);
create index trials_of_family on trials (family, id);

-- The bars that a family was ever tried on, by content, and by number so that trial_sets stays narrow.
create table trial_series (
    id        int generated always as identity primary key,
    family    text not null,
    bars_hash text not null,
    unique (family, bars_hash)
);

-- Each parameter set once for each series, however often it was tried there.  A million sets are 80 MB.
create table trial_sets (
    series_id int not null,
    set_hash  bigint not null,                      -- 64 bits of the hash of source and parameters
    primary key (series_id, set_hash)
);
"""

HOLDOUTS = """
-- Sessions that a family's research must not see until it is finished: set, then opened once.
create table holdouts (
    id            bigint generated always as identity primary key,
    family        text not null,
    first_session date not null,
    last_session  date not null check (first_session <= last_session),
    set_at        timestamptz not null default clock_timestamp(),
    set_by        text not null,
    opened_at     timestamptz,
    opened_by     text,
    reason        text,
    run_id        text references research_runs (id),  -- the first that saw it
    check ((opened_at is null) = (opened_by is null) and (opened_at is null) = (reason is null)),
    check (run_id is null or opened_at is not null)
);
create unique index holdouts_sealed on holdouts (family) where opened_at is null;
"""


def upgrade() -> None:
    for statements in (RESEARCH_RUNS, TRIALS, HOLDOUTS):
        op.execute(statements)
