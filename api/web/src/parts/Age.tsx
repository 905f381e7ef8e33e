import { age } from '../format'
import { useClock } from '../state/useClock'

interface Props {
  at: number | null // in the clock of `skewMs`
  skewMs?: number
  staleAfterMs: number
}

/** How old the figures beside it are; red once they are too old to act on. */
export function Age({ at, skewMs = 0, staleAfterMs }: Props) {
  const now = useClock() + skewMs
  if (at === null) return <span className="age stale">no data</span>
  const old = now - at
  const stale = old > staleAfterMs
  return (
    <span className={stale ? 'age stale' : 'age'} aria-label={`${stale ? 'stale, ' : ''}${age(old)} old`}>
      {age(old)}
    </span>
  )
}
