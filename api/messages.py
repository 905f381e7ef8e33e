"""What crosses the wire: the shapes of every answer.  The page's contract.ts is generated from them."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from data.control import Mode
from data.orders import OrderState, Side
from data.registry import Stage, Verdict


class Message(BaseModel):
    """Money and quantities are decimal strings, instants are UTC."""

    model_config = ConfigDict(frozen=True)


class Login(Message):
    name: str = Field(min_length=1, max_length=64)
    password: str = Field(min_length=1, max_length=256)


class Session(Message):
    """Proof of a log-in: send the token as `Authorization: Bearer …`, renew it before it expires."""

    token: str
    name: str
    role: str
    expires_at: datetime
    renewable_until: datetime


class Me(Message):
    name: str
    role: str


class Control(Message):
    """What people told the account's engine; `verified_flat_at` once the broker itself showed nothing open."""

    account: str
    mode: Mode
    reason: str
    actor: str
    changed_at: datetime
    verified_flat_at: datetime | None


class ControlChange(Message):
    account: str = Field(min_length=1, max_length=64)
    mode: Literal["running", "paused", "killed"]
    reason: str = Field(
        min_length=3, max_length=500, description="for the record, and for whoever finds it later"
    )


class Engine(Message):
    """The one process that may send for the account, and what it last said of itself."""

    holder: str
    epoch: int
    taken_at: datetime
    heartbeat_at: datetime
    status: dict[str, Any]


class Run(Message):
    id: int
    account: str
    artifact_hash: str
    strategy: str | None
    version: int | None
    feed: str
    first_session: date
    last_session: date
    snapshot_id: int
    started_at: datetime
    finished_at: datetime | None
    bars: int
    parity: dict[str, Any] | None


class Account(Message):
    name: str
    broker: str
    cash: Decimal = Field(description="at opening")
    created_at: datetime
    mode: Mode
    heartbeat_at: datetime | None = Field(description="of its engine; null when none has run yet")


class Position(Message):
    symbol: str
    qty: Decimal
    average_entry: Decimal
    realised: Decimal
    updated_at: datetime


class Order(Message):
    coid: str
    state: OrderState
    strategy: str
    artifact_hash: str | None
    symbol: str
    side: Side
    order_type: str
    time_in_force: str
    qty: Decimal
    filled_qty: Decimal
    average_price: Decimal | None
    reference_price: Decimal
    target: float | None
    bar_ts_utc: datetime
    reason: str
    attempts: int
    broker_id: str | None
    parent: str | None
    decided_at: datetime
    created_at: datetime
    sent_at: datetime | None
    acked_at: datetime | None
    updated_at: datetime
    expires_at: datetime


class Fill(Message):
    execution_id: str
    coid: str
    strategy: str
    symbol: str
    side: Side
    qty: Decimal
    price: Decimal
    commission: Decimal
    bar_ts_utc: datetime | None
    filled_at: datetime
    received_at: datetime
    heard_by: str


class Gate(Message):
    gate: str
    verdict: Verdict
    measured_at: datetime
    evidence: dict[str, Any]


class Version(Message):
    strategy: str
    number: int
    artifact_hash: str
    stage: Stage
    author: str
    published_at: datetime
    manifest: dict[str, Any]
    gates: list[Gate]


class Candles(Message):
    """Oldest first.  `truncated`: the range holds more than one answer may carry; these are its newest."""

    source: str
    symbol: str
    timeframe: str
    truncated: bool
    candles: list[tuple[int, float, float, float, float, float]] = Field(
        description="[open time in seconds since 1970 UTC, open, high, low, close, volume]"
    )


class Symbol(Message):
    symbol: str
    source: str
    timeframe: str
    first_session: date
    last_session: date
    last_ts_utc: datetime | None


class EquityPoint(Message):
    ts_utc: datetime
    equity: float
    cash: float


class Equity(Message):
    """The account's worth over time, from its fills and the candles; sampled every `step_s`."""

    account: str
    opening_cash: float
    step_s: int
    points: list[EquityPoint]


class Price(Message):
    symbol: str
    ts_utc: datetime
    last: float


class Part(Message):
    state: Literal["ok", "degraded", "down"]
    detail: str


class Health(Message):
    state: Literal["ok", "degraded", "down"]
    at: datetime
    parts: dict[str, Part]


# --- the stream: what the server sends ------------------------------------------------------------


class Snapshot(Message):
    """All of an account as one transaction saw it; the changes after it are numbered `seq + 1`, …"""

    type: Literal["snapshot"] = "snapshot"
    now: datetime
    seq: int
    account: Account
    control: Control
    engine: Engine | None
    run: Run | None
    positions: list[Position]
    orders: list[Order] = Field(description="all open ones and the newest others, newest first")
    fills: list[Fill] = Field(description="the newest, newest first")
    prices: list[Price] = Field(description="the newest price known of each symbol held or traded")


class Event(Message):
    """One numbered change; `row` is the whole new row, null when it could not be read (then resync)."""

    seq: int
    kind: str = Field(description="order | fill | position | control | run, and what later versions add")
    row: Order | Fill | Position | Control | Run | None


class Deltas(Message):
    type: Literal["deltas"] = "deltas"
    events: list[Event]


class Pulse(Message):
    """Once a second: the stream is alive, and how its sources are."""

    type: Literal["pulse"] = "pulse"
    now: datetime
    seq: int = Field(description="the newest change sent; higher than yours means that you missed some")
    ledger: bool = Field(description="Postgres answered within the last second")
    bus: bool = Field(description="Redis is connected; without it news takes up to a second")
    engine: Engine | None


class Ticks(Message):
    type: Literal["ticks"] = "ticks"
    ticks: list[Price]


class Resync(Message):
    """The numbering broke on the server's side (the ledger was restored): ask for a new snapshot."""

    type: Literal["resync"] = "resync"


class Renewed(Message):
    type: Literal["renewed"] = "renewed"
    expires_at: datetime


class Pong(Message):
    type: Literal["pong"] = "pong"
