// Figures derived from the desk; nothing here is remembered.
import type { Engine, Fill, Order } from '../client/contract'
import { isOpen, type Desk } from './desk'

/** What engines put in their heartbeat; older ones may leave any of it out. */
interface EngineStatus {
  bar_ts_us?: number
  mismatches?: string[]
  books?: { symbol: string; last: number | null }[]
}

export const said = (engine: Engine | null): EngineStatus => (engine?.status ?? {}) as EngineStatus

export interface Holding {
  symbol: string
  qty: number
  entry: number
  last: number | null
  priceAt: number | null // when this price was last confirmed, in our clock; null: nobody knows
  priceBar: string | null // the bar it belongs to
  value: number | null
  unrealised: number | null
  realised: number
  updatedAt: string
}

export function holdings(desk: Desk): Holding[] {
  return [...desk.positions.values()]
    .map((position) => {
      const qty = Number(position.qty)
      const entry = Number(position.average_entry)
      const { last, priceAt, priceBar } = newestPrice(desk, position.symbol)
      return {
        symbol: position.symbol,
        qty,
        entry,
        last,
        priceAt,
        priceBar,
        value: last === null ? null : qty * last,
        unrealised: qty === 0 ? 0 : last === null ? null : qty * (last - entry),
        realised: Number(position.realised),
        updatedAt: position.updated_at,
      }
    })
    .sort((a, b) => Number(b.qty !== 0) - Number(a.qty !== 0) || a.symbol.localeCompare(b.symbol))
}

/** A tick heard here, else what the engine says it trades on, else what the snapshot knew. */
function newestPrice(desk: Desk, symbol: string): Pick<Holding, 'last' | 'priceAt' | 'priceBar'> {
  const price = desk.prices.get(symbol)
  const priceBar = price?.ts_utc ?? null
  if (price?.heardAt) return { last: price.last, priceAt: price.heardAt, priceBar }
  const book = said(desk.engine).books?.find((each) => each.symbol === symbol)
  if (desk.engine && typeof book?.last === 'number') {
    return { last: book.last, priceAt: Date.parse(desk.engine.heartbeat_at) - desk.skewMs, priceBar }
  }
  return { last: price?.last ?? null, priceAt: null, priceBar }
}

export interface Totals {
  realised: number
  unrealised: number | null // null: a holding has no price
  gross: number | null
  equity: number | null
}

export function totals(desk: Desk, held: Holding[]): Totals {
  const realised = sum(held.map((holding) => holding.realised))
  const unrealised = sumOrNull(held.map((holding) => holding.unrealised))
  return {
    realised,
    unrealised,
    gross: sumOrNull(held.map((holding) => (holding.qty === 0 ? 0 : holding.value && Math.abs(holding.value)))),
    equity: unrealised === null ? null : Number(desk.account.cash) + realised + unrealised,
  }
}

export const ordersNewestFirst = (desk: Desk): Order[] =>
  [...desk.orders.values()].sort(
    (a, b) => Number(isOpen(b)) - Number(isOpen(a)) || b.created_at.localeCompare(a.created_at),
  )

export interface Latency {
  name: string
  hint: string
  p50: number | null
  p95: number | null
}

/** Milliseconds on the way from bar to fill, over the orders on screen. */
export function latencies(desk: Desk): Latency[] {
  const orders = [...desk.orders.values()]
  const span = (from: (order: Order) => string | null, to: (order: Order) => string | null) =>
    orders.flatMap((order) => {
      const [a, b] = [from(order), to(order)]
      return a && b ? [Math.max(0, exactMs(b) - exactMs(a))] : []
    })
  return [
    describe('bar → wire', 'from the bar’s arrival to the send', span((o) => o.decided_at, (o) => o.sent_at)),
    describe('wire → ack', 'from the send to the broker’s acknowledgement', span((o) => o.sent_at, (o) => o.acked_at)),
  ]
}

/** The newest bar that the engine has seen: the account's own market clock. */
export function feedTime(desk: Desk): number | null {
  const told = said(desk.engine).bar_ts_us
  if (told) return told / 1000
  const bars = [...desk.orders.values()].map((order) => Date.parse(order.bar_ts_utc))
  return bars.length ? Math.max(...bars) : null
}

export const barTime = (fill: Fill): number => Date.parse(fill.bar_ts_utc ?? fill.filled_at)

function describe(name: string, hint: string, values: number[]): Latency {
  const sorted = values.sort((a, b) => a - b)
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? null
  return { name, hint, p50: at(0.5), p95: at(0.95) }
}

const sum = (values: number[]): number => values.reduce((total, value) => total + value, 0)
const sumOrNull = (values: (number | null)[]): number | null =>
  values.some((value) => value === null) ? null : sum(values as number[])

/** Date.parse forgets what is below a millisecond, which is where we live. */
function exactMs(iso: string): number {
  const fraction = /\.\d+/.exec(iso)?.[0] ?? ''
  return Date.parse(iso.replace(fraction, '')) + Number(`0${fraction}`) * 1000
}
