import type { Client } from '../client/http'
import { Age } from '../parts/Age'
import { EquityLine } from '../parts/EquityLine'
import { Empty, Panel } from '../parts/Panel'
import type { Desk } from '../state/desk'
import { usePolled } from '../state/usePolled'

const EVERY_MS = 5_000

export function EquityPanel({ client, desk }: { client: Client; desk: Desk }) {
  const account = desk.account.name
  const { data, at, problem } = usePolled(() => client.equity(account), EVERY_MS, account, desk.fills[0]?.execution_id)
  return (
    <Panel name="Equity" area="equity" age={<Age at={at} staleAfterMs={EVERY_MS * 3} />}>
      {data && data.points.length > 1 ? (
        <EquityLine equity={data} />
      ) : (
        <Empty title={problem ? `${problem.what}.` : 'No equity to draw yet'}>
          {problem ? problem.fix : 'The line begins with the first fill.'}
        </Empty>
      )}
    </Panel>
  )
}
