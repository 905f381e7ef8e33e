import { dollars, millis, money, signed, tone } from '../format'
import { Age } from '../parts/Age'
import { isOpen, type Desk } from '../state/desk'
import { holdings, latencies, totals } from '../state/figures'

/** The handful of numbers one looks at first. */
export function Figures({ desk }: { desk: Desk }) {
  const held = holdings(desk)
  const { equity, realised, unrealised, gross } = totals(desk, held)
  const total = unrealised === null ? null : realised + unrealised
  const open = [...desk.orders.values()].filter(isOpen)
  const unknown = open.filter((order) => order.state === 'SENDING').length
  const cash = Number(desk.account.cash)
  return (
    <section className="figures" aria-label="Key figures">
      <Figure name="Equity" value={money(equity)} note={`opened with ${dollars(cash)}`} />
      <Figure
        name="Profit and loss"
        value={signed(total)}
        tone={tone(total)}
        note={total === null ? 'a holding has no price' : `${signed((total / cash) * 100)} %`}
      />
      <Figure name="Unrealised" value={signed(unrealised)} tone={tone(unrealised)} note="at the newest price" />
      <Figure name="Realised" value={signed(realised)} tone={tone(realised)} note="after commission" />
      <Figure
        name="Gross exposure"
        value={dollars(gross)}
        note={equity && gross !== null ? `${((gross / equity) * 100).toFixed(0)} % of equity` : ' '}
      />
      <Figure
        name="Open orders"
        value={String(open.length)}
        tone={unknown ? 'warn' : ''}
        note={unknown ? `${unknown} unknown at the broker` : 'none unknown'}
      />
      {latencies(desk).map((latency) => (
        <Figure
          key={latency.name}
          name={latency.name}
          hint={`Median ${latency.hint}`}
          value={millis(latency.p50)}
          unit="ms"
          note={`p95 ${millis(latency.p95)} ms`}
        />
      ))}
      <div className="figures-age">
        <Age at={desk.confirmedAt} skewMs={desk.skewMs} staleAfterMs={5_000} />
      </div>
    </section>
  )
}

interface FigureProps {
  name: string
  value: string
  note: string
  unit?: string
  tone?: string
  hint?: string
}

function Figure({ name, value, note, unit, tone: colour = '', hint }: FigureProps) {
  return (
    <dl className="figure" title={hint}>
      <dt>{name}</dt>
      <dd className={colour}>
        {value}
        {unit && <small> {unit}</small>}
      </dd>
      <dd className="note">{note}</dd>
    </dl>
  )
}
