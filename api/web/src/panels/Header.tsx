import type { Session } from '../client/contract'
import type { Link } from '../client/stream'
import { Mark } from '../parts/Mark'
import { Sign } from '../parts/Sign'
import { age, dateTime } from '../format'
import type { Desk } from '../state/desk'
import { feedTime } from '../state/figures'
import { useClock } from '../state/useClock'
import type { Wish } from './ControlDialog'

interface Props {
  desk: Desk | null
  link: Link
  session: Session
  account: string
  names: string[]
  mayControl: boolean
  onChoose: (account: string) => void
  onWish: (wish: Wish) => void
  onLeave: () => void
}

const HEARTBEAT_LATE_MS = 5_000 // engines beat every second

export function Header({ desk, link, session, account, names, mayControl, onChoose, onWish, onLeave }: Props) {
  const mode = desk?.control.mode ?? 'unknown'
  const barrier = mayControl ? undefined : `${session.role} may look; this needs the role trader`
  return (
    <header className="header">
      <span className="brand">
        <Mark /> Slipway
      </span>
      <select aria-label="Account" value={account} onChange={(event) => onChoose(event.target.value)}>
        {names.map((name) => (
          <option key={name}>{name}</option>
        ))}
      </select>
      <span className={`mode ${mode}`} role="status" aria-label={`Mode: ${mode}`} data-testid="mode">
        {mode}
      </span>
      <Signs desk={desk} link={link} />
      <span className="spacer" />
      {desk && mode === 'running' && (
        <button className="button" disabled={!mayControl} title={barrier} onClick={() => onWish('paused')}>
          Pause
        </button>
      )}
      {desk && mode !== 'running' && (
        <button className="button" disabled={!mayControl} title={barrier} onClick={() => onWish('running')}>
          Resume
        </button>
      )}
      <button
        className="button kill"
        disabled={!mayControl || !desk || mode === 'killed'}
        title={barrier}
        onClick={() => onWish('killed')}
      >
        Kill
      </button>
      <button className="button quiet" title={`${session.name} is ${session.role}`} onClick={onLeave}>
        {session.name} · log out
      </button>
    </header>
  )
}

/** What the figures below rest on, each with its age. */
function Signs({ desk, link }: { desk: Desk | null; link: Link }) {
  const now = useClock() + (desk?.skewMs ?? 0)
  if (!desk) return <Sign name="Stream" state="warn" text={link.state === 'lost' ? 'lost' : 'connecting'} />
  const { engine, run } = desk
  const beatMs = engine && now - Date.parse(engine.heartbeat_at)
  const atWork = !run?.finished_at
  const bar = feedTime(desk)
  const ledgerMs = now - desk.confirmedAt
  return (
    <div className="signs">
      {beatMs === null ? (
        <Sign name="Engine" state="idle" text="none yet" />
      ) : beatMs < HEARTBEAT_LATE_MS ? (
        <Sign name="Engine" state="good" text={`beat ${age(beatMs)}`} hint={engine?.holder} />
      ) : (
        <Sign
          name="Engine"
          state={atWork ? 'bad' : 'idle'}
          text={atWork ? `silent ${age(beatMs)}` : `finished ${age(beatMs)} ago`}
          hint={engine?.holder}
        />
      )}
      <Sign
        name="Feed"
        state={bar === null || beatMs === null || beatMs >= HEARTBEAT_LATE_MS ? 'idle' : 'good'}
        text={bar === null ? 'no bar yet' : `${dateTime(bar)} NY`}
        hint="Newest bar that the engine has seen"
      />
      <Sign
        name="Ledger"
        state={ledgerMs > 5_000 || !desk.ledger ? 'bad' : 'good'}
        text={age(ledgerMs)}
        hint="Age of what is on this screen"
      />
      <Sign
        name="Stream"
        state={link.state === 'live' ? (desk.bus ? 'good' : 'warn') : 'bad'}
        text={link.state === 'live' ? (desk.bus ? 'live' : 'live, slower') : link.state}
        hint={desk.bus ? undefined : 'Redis is away: news takes up to a second'}
      />
    </div>
  )
}
