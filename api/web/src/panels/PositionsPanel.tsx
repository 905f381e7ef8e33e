import { hourMinute, money, price, qty, signed, tone } from '../format'
import { Age } from '../parts/Age'
import { Empty, Panel } from '../parts/Panel'
import type { Desk } from '../state/desk'
import { holdings, type Holding } from '../state/figures'

const PRICE_STALE_MS = 90_000 // a minute bar and a half

function PriceAge({ holding }: { holding: Holding }) {
  if (holding.priceAt !== null) return <Age at={holding.priceAt} staleAfterMs={PRICE_STALE_MS} />
  return holding.priceBar && <span className="age">of {hourMinute(Date.parse(holding.priceBar))}</span>
}

export function PositionsPanel({ desk, onChoose }: { desk: Desk; onChoose: (symbol: string) => void }) {
  const held = holdings(desk)
  return (
    <Panel
      name="Positions"
      area="positions"
      count={held.filter((holding) => holding.qty !== 0).length}
      age={<Age at={desk.confirmedAt} skewMs={desk.skewMs} staleAfterMs={5_000} />}
    >
      {held.length === 0 ? (
        <Empty title="Flat: nothing was bought or sold yet">
          Positions appear with the first fill. Is the engine running? <code>./slipway status</code>
        </Empty>
      ) : (
        <table>
          <thead>
            <tr>
              <th>Symbol</th>
              <th className="n">Quantity</th>
              <th className="n">Entry</th>
              <th className="n">Last</th>
              <th className="n">Age</th>
              <th className="n">Value</th>
              <th className="n">Unrealised</th>
              <th className="n">Realised</th>
            </tr>
          </thead>
          <tbody>
            {held.map((holding) => (
              <tr key={holding.symbol} className={holding.qty === 0 ? 'faded' : ''} data-symbol={holding.symbol}>
                <td>
                  <button className="link" onClick={() => onChoose(holding.symbol)}>
                    {holding.symbol}
                  </button>
                </td>
                <td className="n strong">{qty(holding.qty)}</td>
                <td className="n">{holding.qty === 0 ? '—' : price(holding.entry)}</td>
                <td className="n">{price(holding.last)}</td>
                <td className="n">
                  <PriceAge holding={holding} />
                </td>
                <td className="n">{holding.qty === 0 ? '—' : money(holding.value)}</td>
                <td className={`n ${tone(holding.unrealised)}`}>{holding.qty === 0 ? '—' : signed(holding.unrealised)}</td>
                <td className={`n ${tone(holding.realised)}`}>{signed(holding.realised)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Panel>
  )
}
