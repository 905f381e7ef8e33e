"""What simulation showed to be missing: fills that are reported but not entered, orders of one stop, a shared rate."""

from alembic import op

revision = "0005"
down_revision = "0004"

ORDERS = """
-- The broker may say "canceled, 6 filled" before it says which fills.  Until they are entered they hold risk.
alter table orders
    add reported_qty numeric not null default 0,    -- the most that the broker ever said is filled
    add occasion     text not null default '';      -- of an operator's order: which command it belongs to
update orders set reported_qty = filled_qty;
create index orders_owed on orders (account) where reported_qty > filled_qty;
create index orders_of_occasion on orders (account, occasion) where occasion <> '';
"""

CONTROLS = """
-- Counts what people said, so that nothing depends on what a clock showed when they said it.
alter table controls add revision bigint not null default 0;
"""

SEND_BUDGETS = """
-- One bucket of requests for all senders of an account, across restarts.
create table send_budgets (
    account     text primary key references accounts (name),
    tokens      double precision not null,
    refilled_at timestamptz not null
);
-- Take one request if `kept` are left after it; 0, or else for how many seconds there is none.  A rate of zero means
-- that nobody counts.
create function take_request(of_account text, per_second double precision, size double precision,
                             kept double precision) returns double precision language plpgsql as $$
declare
    moment  timestamptz := clock_timestamp();
    bucket  send_budgets;
    full_to double precision;
begin
    if per_second <= 0 then
        return 0;
    end if;
    insert into send_budgets values (of_account, size, moment) on conflict do nothing;
    select * into bucket from send_budgets where account = of_account for update;
    full_to := least(size, bucket.tokens + per_second * greatest(0, extract(epoch from moment - bucket.refilled_at)));
    if full_to < kept + 1 then
        update send_budgets set tokens = full_to, refilled_at = moment where account = of_account;
        return (kept + 1 - full_to) / per_second;
    end if;
    update send_budgets set tokens = full_to - 1, refilled_at = moment where account = of_account;
    return 0;
end $$;
"""

HALTS = """
-- Symbols on which nothing may be opened: the broker has something there that is not ours.
create table symbol_halts (
    account    text not null references accounts (name),
    symbol     text not null,
    reason     text not null,
    halted_at  timestamptz not null default clock_timestamp(),
    primary key (account, symbol)
);
"""


def upgrade() -> None:
    for statements in (ORDERS, CONTROLS, SEND_BUDGETS, HALTS):
        op.execute(statements)
