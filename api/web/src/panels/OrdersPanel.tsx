import { useState } from 'react'
import type { Order } from '../client/contract'
import { clock, hourMinute, price, qty } from '../format'
import { Age } from '../parts/Age'
import { Empty, Panel } from '../parts/Panel'
import { isOpen, type Desk } from '../state/desk'
import { ordersNewestFirst } from '../state/figures'

const SHOWN_MAX = 200

export function OrdersPanel({ desk, onChoose }: { desk: Desk; onChoose: (symbol: string) => void }) {
  const [onlyOpen, setOnlyOpen] = useState(false)
  const all = ordersNewestFirst(desk)
  const open = all.filter(isOpen).length
  const shown = (onlyOpen ? all.filter(isOpen) : all).slice(0, SHOWN_MAX)
  return (
    <Panel
      name="Orders"
      area="orders"
      tools={
        <span className="tabs" role="tablist" aria-label="Which orders">
          <button role="tab" aria-selected={!onlyOpen} onClick={() => setOnlyOpen(false)}>
            Recent {all.length}
          </button>
          <button role="tab" aria-selected={onlyOpen} onClick={() => setOnlyOpen(true)}>
            Open {open}
          </button>
        </span>
      }
      age={<Age at={desk.confirmedAt} skewMs={desk.skewMs} staleAfterMs={5_000} />}
    >
      {shown.length === 0 ? (
        <Empty title={onlyOpen ? 'No order is open' : 'No order yet'}>
          {onlyOpen ? 'All that was sent is done.' : 'An order appears when the strategy changes its target.'}
        </Empty>
      ) : (
        <table>
          <thead>
            <tr>
              <th>Placed</th>
              <th>Bar</th>
              <th>Strategy</th>
              <th>Symbol</th>
              <th>Side</th>
              <th className="n">Quantity</th>
              <th className="n">Filled</th>
              <th className="n">Reference</th>
              <th className="n">Price</th>
              <th>State</th>
            </tr>
          </thead>
          <tbody>
            {shown.map((order) => (
              <Row key={order.coid} order={order} onChoose={onChoose} />
            ))}
          </tbody>
        </table>
      )}
    </Panel>
  )
}

function Row({ order, onChoose }: { order: Order; onChoose: (symbol: string) => void }) {
  const bar = Date.parse(order.bar_ts_utc)
  return (
    <tr data-coid={order.coid} className={isOpen(order) ? 'open' : ''}>
      <td className="dim">{clock(order.created_at)}</td>
      <td className="dim">{hourMinute(bar)}</td>
      <td className="dim">{order.artifact_hash ? order.strategy : `${order.strategy} (operator)`}</td>
      <td>
        <button className="link" onClick={() => onChoose(order.symbol)}>
          {order.symbol}
        </button>
      </td>
      <td className={order.side === 'buy' ? 'up' : 'down'}>{order.side}</td>
      <td className="n">{qty(Number(order.qty))}</td>
      <td className="n">{qty(Number(order.filled_qty))}</td>
      <td className="n dim">{price(Number(order.reference_price))}</td>
      <td className="n">{price(order.average_price === null ? null : Number(order.average_price))}</td>
      <td className="rest" title={order.reason || undefined}>
        <span className={`state ${order.state.toLowerCase()}`}>
          {order.state === 'SENDING' ? 'unknown' : order.state.toLowerCase()}
        </span>
        {order.reason && <span className="reason">{order.reason}</span>}
      </td>
    </tr>
  )
}
