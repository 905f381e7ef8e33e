import { age, clock } from '../format'
import type { Link } from '../client/stream'
import type { Desk } from '../state/desk'
import { said } from '../state/figures'
import { useClock } from '../state/useClock'

const HEARTBEAT_LOST_MS = 10_000

/** What the engine itself complains about, or that it has gone quiet in the middle of a run. */
function Alarms({ desk }: { desk: Desk }) {
  const silentMs = useClock() + desk.skewMs - Date.parse(desk.engine?.heartbeat_at ?? '')
  if (desk.run && !desk.run.finished_at && silentMs > HEARTBEAT_LOST_MS) {
    return (
      <p className="banner bad" role="alert">
        <b>The engine is silent for {age(silentMs)}</b> in the middle of a run: nothing is traded, prices may be old. See{' '}
        <code>./slipway status</code>.
      </p>
    )
  }
  const { mismatches = [] } = said(desk.engine)
  if (mismatches.length > 0) {
    return (
      <p className="banner bad" role="alert">
        <b>Books and broker disagree:</b> {mismatches.join(' · ')}
      </p>
    )
  }
  return null
}

/** What nobody may overlook: a kill, a pause, a picture that is no longer live. */
export function Banner({ desk, link }: { desk: Desk | null; link: Link }) {
  const now = useClock()
  if (link.state === 'lost') {
    const wait = Math.max(0, link.retryAt - now)
    return (
      <p className="banner bad" role="alert">
        <b>Connection lost</b> ({link.why}). Trying again in {age(wait)}; everything below is as it was then.
      </p>
    )
  }
  if (!desk) return null
  if (!desk.ledger) {
    return (
      <p className="banner bad" role="alert">
        <b>The ledger does not answer.</b> Figures are {age(now + desk.skewMs - desk.confirmedAt)} old. See{' '}
        <code>./slipway status</code>.
      </p>
    )
  }
  const { control } = desk
  if (control.mode === 'running') return <Alarms desk={desk} />
  const said = `${control.actor || 'somebody'} at ${clock(control.changed_at)} NY: “${control.reason}”`
  if (control.mode === 'paused') {
    return (
      <p className="banner warn" role="status">
        <b>Paused</b> by {said}. Only what reduces a position is sent.{' '}
        {control.verified_flat_at && <b className="flat">✓ Flattened at {clock(control.verified_flat_at)} NY</b>}
      </p>
    )
  }
  return (
    <p className="banner bad" role="status" data-testid="killed">
      <b>{control.mode === 'flattening' ? 'Flattening, told' : 'Killed'}</b> by {said}.{' '}
      {control.verified_flat_at ? (
        <b className="flat">✓ Verified flat with the broker at {clock(control.verified_flat_at)} NY</b>
      ) : (
        <b className="pending">Not yet verified flat with the broker…</b>
      )}
    </p>
  )
}
