import { useMemo } from 'react'
import type { Client } from '../client/http'
import { price } from '../format'
import { Age } from '../parts/Age'
import { CandleChart } from '../parts/CandleChart'
import { Empty, Panel } from '../parts/Panel'
import type { Desk } from '../state/desk'
import { barTime, feedTime } from '../state/figures'
import { usePolled } from '../state/usePolled'

interface Props {
  client: Client
  desk: Desk
  chosen: string | null
  onChoose: (symbol: string) => void
}

const EVERY_MS = 10_000
const AHEAD_MS = 24 * 3600_000 // candles asked for at once beyond the newest bar, so that a replay runs into them

export function ChartPanel({ client, desk, chosen, onChoose }: Props) {
  const known = usePolled(client.symbols, 60_000, 'symbols')
  const traded = useMemo(
    () => [...new Set([...desk.positions.keys(), ...[...desk.orders.values()].map((order) => order.symbol)])].sort(),
    [desk.positions, desk.orders],
  )
  const symbols = [...new Set([...traded, ...(known.data ?? []).map((row) => row.symbol)])]
  const symbol = chosen ?? symbols[0] ?? ''

  const feed = feedTime(desk)
  const until = feed === null ? null : Math.ceil((feed + 1) / AHEAD_MS) * AHEAD_MS
  const { data, at, problem } = usePolled(
    () => client.candles(symbol, until === null ? undefined : new Date(until)),
    EVERY_MS,
    `${symbol} until ${until}`,
  )
  const fills = useMemo(
    () => desk.fills.filter((fill) => fill.symbol === symbol).sort((a, b) => barTime(a) - barTime(b)),
    [desk.fills, symbol],
  )
  const last = desk.prices.get(symbol)

  return (
    <Panel
      name="Chart"
      area="chart"
      tools={
        <>
          <span className="tabs" role="tablist" aria-label="Symbol">
            {symbols.slice(0, 12).map((name) => (
              <button key={name} role="tab" aria-selected={name === symbol} onClick={() => onChoose(name)}>
                {name}
              </button>
            ))}
          </span>
          {last && <b className="last">{price(last.last)}</b>}
        </>
      }
      age={<Age at={at} staleAfterMs={EVERY_MS * 3} />}
    >
      {data && data.candles.length > 0 ? (
        <CandleChart symbol={symbol} candles={data.candles} fills={fills} until={feed} />
      ) : (
        <Empty title={problem ? `${problem.what}.` : data ? `No candles of ${symbol || 'anything'} yet` : 'Loading…'}>
          {problem ? (
            problem.fix
          ) : (
            <>
              Bring some in with <code>./slipway data ingest</code>.
            </>
          )}
        </Empty>
      )}
    </Panel>
  )
}
