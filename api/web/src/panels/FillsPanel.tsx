import { clock, price, qty } from '../format'
import { Age } from '../parts/Age'
import { Empty, Panel } from '../parts/Panel'
import type { Desk } from '../state/desk'
import { barTime } from '../state/figures'

const SHOWN_MAX = 200

export function FillsPanel({ desk, onChoose }: { desk: Desk; onChoose: (symbol: string) => void }) {
  return (
    <Panel
      name="Fills"
      area="fills"
      count={desk.fills.length}
      age={<Age at={desk.confirmedAt} skewMs={desk.skewMs} staleAfterMs={5_000} />}
    >
      {desk.fills.length === 0 ? (
        <Empty title="Nothing was filled yet">Fills arrive here as the broker reports them.</Empty>
      ) : (
        <table>
          <thead>
            <tr>
              <th>Bar</th>
              <th>Symbol</th>
              <th>Side</th>
              <th className="n">Quantity</th>
              <th className="n">Price</th>
              <th>Via</th>
            </tr>
          </thead>
          <tbody>
            {desk.fills.slice(0, SHOWN_MAX).map((fill) => (
              <tr key={fill.execution_id} data-execution={fill.execution_id}>
                <td className="dim">{clock(barTime(fill))}</td>
                <td>
                  <button className="link" onClick={() => onChoose(fill.symbol)}>
                    {fill.symbol}
                  </button>
                </td>
                <td className={fill.side === 'buy' ? 'up' : 'down'}>{fill.side}</td>
                <td className="n">{qty(Number(fill.qty))}</td>
                <td className="n">{price(Number(fill.price))}</td>
                <td className="dim">{fill.heard_by}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Panel>
  )
}
