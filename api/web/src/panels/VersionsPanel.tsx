import type { Run, Version } from '../client/contract'
import type { Client } from '../client/http'
import { dateTime, sessionDay } from '../format'
import { Age } from '../parts/Age'
import { Empty, Panel } from '../parts/Panel'
import type { Desk } from '../state/desk'
import { usePolled } from '../state/usePolled'

const EVERY_MS = 15_000

export function VersionsPanel({ client, desk }: { client: Client; desk: Desk }) {
  const { data, at, problem } = usePolled(client.versions, EVERY_MS, 'versions', desk.run?.id)
  return (
    <Panel
      name="Strategy versions"
      area="versions"
      count={data?.length}
      age={<Age at={at} staleAfterMs={EVERY_MS * 3} />}
    >
      {data === null ? (
        <Empty title={problem ? `${problem.what}.` : 'Loading…'}>{problem?.fix}</Empty>
      ) : data.length === 0 ? (
        <Empty title="Nothing is published yet">
          <code>./slipway publish</code> makes a version, <code>./slipway promote</code> lets it trade.
        </Empty>
      ) : (
        <ul className="versions">
          {data.map((version) => (
            <Item key={version.artifact_hash} version={version} run={runOf(desk, version)} />
          ))}
        </ul>
      )}
    </Panel>
  )
}

const runOf = (desk: Desk, version: Version): Run | null =>
  desk.run?.artifact_hash === version.artifact_hash ? desk.run : null

function Item({ version, run }: { version: Version; run: Run | null }) {
  const parameters = Object.entries((version.manifest['parameters'] ?? version.manifest['params'] ?? {}) as object)
  return (
    <li className={`version ${version.stage}`}>
      <p>
        <b>
          {version.strategy}
          <span className="dim">@{version.number}</span>
        </b>
        <span className={`stage ${version.stage}`}>{version.stage}</span>
        <span className="spacer" />
        {version.gates.length === 0 && <span className="gate none">no gate measured</span>}
        {version.gates.map((gate) => (
          <span key={gate.gate} className={`gate ${gate.verdict}`} title={`measured ${dateTime(gate.measured_at)} NY`}>
            {gate.verdict === 'pass' ? '✓' : '✕'} {gate.gate}
          </span>
        ))}
      </p>
      <p className="dim">
        {parameters.map(([name, value]) => `${name} ${String(value)}`).join(' · ')}
        {parameters.length > 0 && ' · '}
        <code title={version.artifact_hash}>{version.artifact_hash.slice(0, 10)}</code> · {version.author} ·{' '}
        {dateTime(version.published_at)}
      </p>
      {run && (
        <p className="dim">
          Trading {sessionDay(run.first_session)}
          {run.last_session !== run.first_session && ` to ${sessionDay(run.last_session)}`} · {run.bars} bars ·{' '}
          {run.finished_at ? 'finished' : 'running'}
          {typeof run.parity?.['differences'] === 'number' && ` · parity: ${run.parity['differences']} differences`}
        </p>
      )}
    </li>
  )
}
