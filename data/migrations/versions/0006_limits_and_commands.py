"""Limits that people change while engines trade, refusals that name theirs, and one list of commands."""

from alembic import op

revision = "0006"
down_revision = "0005"

LIMITS = """
-- Append-only: the newest row of a scope and name counts.  Strategy '' is the whole account, symbol '' is every symbol,
-- value null takes the limit back.
create table limits (
    id       bigint generated always as identity primary key,
    account  text not null references accounts (name),
    strategy text not null default '',
    symbol   text not null default '',
    name     text not null,
    value    double precision check (value >= 0 and value <> 'NaN'),
    actor    text not null,
    reason   text not null,
    set_at   timestamptz not null default clock_timestamp()
);
create index limits_newest on limits (account, strategy, symbol, name, id desc);

-- How many orders an account ('') and each of its strategies may still send at once, on the market's clock.
create table order_rates (
    account    text not null references accounts (name),
    strategy   text not null,
    tokens     double precision not null,
    refilled_s double precision not null,
    primary key (account, strategy)
);
"""

ORDERS = """
alter table orders
    add refused_by text not null default '',           -- the limit that refused it
    add asked_at   timestamptz not null default clock_timestamp(),  -- the market's clock, which a replay moves
    add revision   bigint not null default 0,          -- of the account's commands, when it was decided
    add audited    boolean not null default false;     -- its refusal is in the audit log
update orders set asked_at = decided_at;
update orders set refused_by = 'unknown', audited = true where state = 'ABANDONED' and reason like 'refused: %';
create index orders_alike on orders (account, strategy, symbol, side, qty, asked_at) where refused_by = '';
create index orders_to_audit on orders (account) where refused_by <> '' and not audited;
"""

BOOK_POSITIONS = """
-- Derived: what the fills of each artifact add up to.  An operator's order counts for the book that it closes.
create table book_positions (
    account       text not null references accounts (name),
    artifact_hash text not null,
    symbol        text not null,
    strategy      text not null,
    qty           numeric not null,
    price         numeric not null,                    -- of its newest fill
    primary key (account, artifact_hash, symbol)
);
insert into book_positions
    select f.account, o.artifact_hash, f.symbol,
           coalesce(max(o.strategy) filter (where o.strategy <> 'operator'), 'operator'),
           sum(case when f.side = 'buy' then f.qty else -f.qty end),
           (array_agg(f.price order by f.received_at desc))[1]
    from fills f join orders o using (coid) where o.artifact_hash is not null group by 1, 2, 3;

-- Profit since the account was opened, as it was when its day began.
create table trading_days (
    account        text not null references accounts (name),
    day            date not null,
    opening_profit double precision not null,
    primary key (account, day)
);
"""

COMMANDS = """
alter table controls
    drop constraint controls_mode_check,
    add constraint controls_mode_check check (mode in ('running', 'paused', 'flattening', 'killed')),
    add cause              text not null default '',   -- what made an engine change the mode by itself
    add cancel_revision    bigint not null default 0,  -- orders decided before it are to be cancelled
    add cancelled_revision bigint not null default 0;  -- ... and are, up to here: the broker showed none of them

create table commands (
    account  text not null references accounts (name),
    revision bigint not null,
    verb     text not null check (verb in ('pause', 'resume', 'cancel', 'flatten', 'kill')),
    actor    text not null,
    reason   text not null,
    cause    text not null default '',
    given_at timestamptz not null default clock_timestamp(),
    audited  boolean not null default false,
    primary key (account, revision)
);
-- What an engine does for a cause it does once, whatever dies in between.
create unique index commands_of_cause on commands (account, cause) where cause <> '';
create index commands_to_audit on commands (account) where not audited;

-- What people and engines say to an account.  Returns 'done'; 'again' if this cause was answered already; 'stricter' if
-- a command that does more is in force; null if there is no such account.
create function give_command(of_account text, what text, who text, why text, for_cause text)
returns text language plpgsql as $$
declare
    now_in_force controls;
begin
    select * into now_in_force from controls where account = of_account for update;
    if not found then
        return null;
    end if;
    if for_cause <> '' and exists (select from commands where account = of_account and cause = for_cause) then
        return 'again';
    end if;
    if now_in_force.mode in ('flattening', 'killed') and what in ('pause', 'cancel', 'flatten') then
        return 'stricter';
    end if;
    if what = 'cancel' then
        update controls set revision = revision + 1, cancel_revision = revision + 1 where account = of_account;
    else
        update controls set revision = revision + 1, actor = who, reason = why, cause = for_cause,
            changed_at = clock_timestamp(), verified_flat_at = null,
            mode = case what when 'pause' then 'paused' when 'resume' then 'running'
                             when 'flatten' then 'flattening' else 'killed' end
        where account = of_account;
    end if;
    insert into commands (account, revision, verb, actor, reason, cause)
        values (of_account, now_in_force.revision + 1, what, who, why, for_cause);
    perform emit_event(of_account, 'control', jsonb_build_object('verb', what, 'actor', who, 'reason', why));
    return 'done';
end $$;
"""

HALTS = """
-- A halt that a person cleared stays on record, so that what they looked at does not halt the symbol again.
alter table symbol_halts
    drop constraint symbol_halts_pkey,
    add primary key (account, symbol, reason),
    add cleared_at     timestamptz,
    add cleared_by     text,
    add cleared_reason text;
"""


def upgrade() -> None:
    for statements in (LIMITS, ORDERS, BOOK_POSITIONS, COMMANDS, HALTS):
        op.execute(statements)
