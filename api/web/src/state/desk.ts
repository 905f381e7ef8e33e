// What the screen knows, as a pure fold over the frames of the stream.
import type { Account, Control, Engine, Fill, Order, Position, Price, Run, Snapshot } from '../client/contract'
import type { Event as Change } from '../client/contract'
import type { Frame } from '../client/stream'

export interface HeardPrice extends Price {
  heardAt: number | null // when this screen heard it; null: it stood in the snapshot
}

export interface Desk {
  seq: number
  account: Account
  control: Control
  engine: Engine | null
  run: Run | null
  positions: ReadonlyMap<string, Position>
  orders: ReadonlyMap<string, Order>
  fills: readonly Fill[] // newest first
  prices: ReadonlyMap<string, HeardPrice>
  confirmedAt: number // server time at which the ledger last said that this is all
  skewMs: number // server clock minus ours
  ledger: boolean
  bus: boolean
}

/** `gap`: a change is missing, so ask for a new snapshot. */
export interface Step {
  desk: Desk | null
  gap: boolean
}

const FILLS_MAX = 500
const ORDERS_MAX = 1_000
const OPEN = new Set(['INTENT', 'SENDING', 'ACKED', 'PARTIAL'])

export const isOpen = (order: Order): boolean => OPEN.has(order.state)

export function fold(desk: Desk | null, frame: Frame, now: number): Step {
  if (frame.type === 'snapshot') return { desk: begin(frame, now), gap: false }
  if (!desk) return { desk, gap: false }
  switch (frame.type) {
    case 'deltas':
      return applyAll(desk, frame.events)
    case 'pulse': {
      const at = Date.parse(frame.now)
      return {
        desk: {
          ...desk,
          engine: frame.ledger ? frame.engine : desk.engine,
          confirmedAt: frame.ledger ? at : desk.confirmedAt,
          skewMs: at - now,
          ledger: frame.ledger,
          bus: frame.bus,
        },
        gap: frame.seq > desk.seq,
      }
    }
    case 'ticks': {
      const prices = new Map(desk.prices)
      for (const tick of frame.ticks) prices.set(tick.symbol, { ...tick, heardAt: now })
      return { desk: { ...desk, prices }, gap: false }
    }
    case 'resync':
      return { desk, gap: true }
    default:
      return { desk, gap: false }
  }
}

function begin(told: Snapshot, now: number): Desk {
  const at = Date.parse(told.now)
  return {
    seq: told.seq,
    account: told.account,
    control: told.control,
    engine: told.engine,
    run: told.run,
    positions: new Map(told.positions.map((position) => [position.symbol, position])),
    orders: new Map(told.orders.map((order) => [order.coid, order])),
    fills: told.fills,
    prices: new Map(told.prices.map((price) => [price.symbol, { ...price, heardAt: null }])),
    confirmedAt: at,
    skewMs: at - now,
    ledger: true,
    bus: true,
  }
}

function applyAll(desk: Desk, events: Change[]): Step {
  const next = {
    ...desk,
    positions: new Map(desk.positions),
    orders: new Map(desk.orders),
    fills: [...desk.fills],
  }
  for (const event of events) {
    if (event.seq <= next.seq) continue // the snapshot held it already
    if (event.seq !== next.seq + 1 || event.row === null) return { desk: next, gap: true }
    next.seq = event.seq
    apply(next, event)
  }
  next.fills.length = Math.min(next.fills.length, FILLS_MAX)
  forgetOldest(next.orders)
  return { desk: next, gap: false }
}

type Draft = Omit<Desk, 'positions' | 'orders' | 'fills'> & {
  positions: Map<string, Position>
  orders: Map<string, Order>
  fills: Fill[]
}

function apply(draft: Draft, event: Change): void {
  switch (event.kind) {
    case 'order': {
      const order = event.row as Order
      draft.orders.set(order.coid, order)
      break
    }
    case 'fill': {
      const fill = event.row as Fill
      if (!draft.fills.some((known) => known.execution_id === fill.execution_id)) draft.fills.unshift(fill)
      break
    }
    case 'position': {
      const position = event.row as Position
      draft.positions.set(position.symbol, position)
      break
    }
    case 'control':
      draft.control = event.row as Control
      break
    case 'run':
      draft.run = event.row as Run
      break
  }
}

function forgetOldest(orders: Map<string, Order>): void {
  if (orders.size <= ORDERS_MAX) return
  const done = [...orders.values()].filter((order) => !isOpen(order))
  done.sort((a, b) => a.created_at.localeCompare(b.created_at))
  for (const order of done.slice(0, orders.size - ORDERS_MAX)) orders.delete(order.coid)
}
