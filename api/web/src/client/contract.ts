// Made from api/messages.py by `python -m api.contract`; do not edit.
// Decimals and instants are strings: exact on the wire, parsed where they are shown.

export interface Account {
  name: string
  broker: string
  cash: string
  created_at: string
  mode: 'running' | 'paused' | 'flattening' | 'killed'
  heartbeat_at: string | null
}

export interface Ask {
  type: 'resync' | 'ping'
}

export interface Candles {
  source: string
  symbol: string
  timeframe: string
  truncated: boolean
  candles: [number, number, number, number, number, number][]
}

export interface Control {
  account: string
  mode: 'running' | 'paused' | 'flattening' | 'killed'
  reason: string
  actor: string
  changed_at: string
  verified_flat_at: string | null
}

export interface ControlChange {
  account: string
  mode: 'running' | 'paused' | 'killed'
  reason: string
}

export interface Deltas {
  type: 'deltas'
  events: Event[]
}

export interface Engine {
  holder: string
  epoch: number
  taken_at: string
  heartbeat_at: string
  status: Record<string, unknown>
}

export interface Equity {
  account: string
  opening_cash: number
  step_s: number
  points: EquityPoint[]
}

export interface EquityPoint {
  ts_utc: string
  equity: number
  cash: number
}

export interface ErrorAnswer {
  error: Problem
}

export interface Event {
  seq: number
  kind: string
  row: Order | Fill | Position | Control | Run | null
}

export interface Fill {
  execution_id: string
  coid: string
  strategy: string
  symbol: string
  side: 'buy' | 'sell'
  qty: string
  price: string
  commission: string
  bar_ts_utc: string | null
  filled_at: string
  received_at: string
  heard_by: string
}

export interface Gate {
  gate: string
  verdict: 'pass' | 'fail'
  measured_at: string
  evidence: Record<string, unknown>
}

export interface Health {
  state: 'ok' | 'degraded' | 'down'
  at: string
  parts: Record<string, Part>
}

export interface Hello {
  type: 'hello'
  token: string
  account: string
}

export interface Login {
  name: string
  password: string
}

export interface Me {
  name: string
  role: string
}

export interface Order {
  coid: string
  state: OrderState
  strategy: string
  artifact_hash: string | null
  symbol: string
  side: 'buy' | 'sell'
  order_type: string
  time_in_force: string
  qty: string
  filled_qty: string
  average_price: string | null
  reference_price: string
  target: number | null
  bar_ts_utc: string
  reason: string
  attempts: number
  broker_id: string | null
  parent: string | null
  decided_at: string
  created_at: string
  sent_at: string | null
  acked_at: string | null
  updated_at: string
  expires_at: string
}

export type OrderState = 'INTENT' | 'SENDING' | 'ACKED' | 'PARTIAL' | 'FILLED' | 'CANCELED' | 'REJECTED' | 'EXPIRED' | 'ABANDONED'

export interface Part {
  state: 'ok' | 'degraded' | 'down'
  detail: string
}

export interface Pong {
  type: 'pong'
}

export interface Position {
  symbol: string
  qty: string
  average_entry: string
  realised: string
  updated_at: string
}

export interface Price {
  symbol: string
  ts_utc: string
  last: number
}

export interface Problem {
  what: string
  fix: string
  code: string
}

export interface Pulse {
  type: 'pulse'
  now: string
  seq: number
  ledger: boolean
  bus: boolean
  engine: Engine | null
}

export interface Renew {
  type: 'renew'
  token: string
}

export interface Renewed {
  type: 'renewed'
  expires_at: string
}

export interface Resync {
  type: 'resync'
}

export interface Run {
  id: number
  account: string
  artifact_hash: string
  strategy: string | null
  version: number | null
  feed: string
  first_session: string
  last_session: string
  snapshot_id: number
  started_at: string
  finished_at: string | null
  bars: number
  parity: Record<string, unknown> | null
}

export interface Session {
  token: string
  name: string
  role: string
  expires_at: string
  renewable_until: string
}

export interface Snapshot {
  type: 'snapshot'
  now: string
  seq: number
  account: Account
  control: Control
  engine: Engine | null
  run: Run | null
  positions: Position[]
  orders: Order[]
  fills: Fill[]
  prices: Price[]
}

export interface Symbol {
  symbol: string
  source: string
  timeframe: string
  first_session: string
  last_session: string
  last_ts_utc: string | null
}

export interface Ticks {
  type: 'ticks'
  ticks: Price[]
}

export interface Version {
  strategy: string
  number: number
  artifact_hash: string
  stage: 'candidate' | 'paper' | 'live' | 'retired'
  author: string
  published_at: string
  manifest: Record<string, unknown>
  gates: Gate[]
}
