import { useEffect, useRef, useState, type FormEvent } from 'react'
import type { Control, ControlChange, Problem } from '../client/contract'
import { ApiError } from '../client/http'
import { isOpen, type Desk } from '../state/desk'

export type Wish = ControlChange['mode']

interface Props {
  wish: Wish
  desk: Desk
  onChange: (change: ControlChange) => Promise<Control>
  onClose: () => void
}

const WORDS: Record<Wish, { title: string; button: string; busy: string; placeholder: string }> = {
  killed: { title: 'Kill', button: 'Kill now', busy: 'Killing…', placeholder: 'e.g. runaway orders in AAA' },
  paused: { title: 'Pause', button: 'Pause', busy: 'Pausing…', placeholder: 'e.g. news in ten minutes' },
  running: { title: 'Resume', button: 'Resume trading', busy: 'Resuming…', placeholder: 'e.g. checked, cause fixed' },
}

/** Nothing is told to an engine without a reason that stays on record. */
export function ControlDialog({ wish, desk, onChange, onClose }: Props) {
  const dialog = useRef<HTMLDialogElement>(null)
  const [reason, setReason] = useState('')
  const [busy, setBusy] = useState(false)
  const [problem, setProblem] = useState<Problem | null>(null)
  const words = WORDS[wish]
  const account = desk.account.name

  useEffect(() => dialog.current?.showModal(), [])

  async function submit(event: FormEvent) {
    event.preventDefault()
    setBusy(true)
    setProblem(null)
    try {
      await onChange({ account, mode: wish, reason: reason.trim() })
      onClose()
    } catch (error) {
      setProblem(error instanceof ApiError ? error.problem : { what: String(error), fix: '', code: '' })
      setBusy(false)
    }
  }

  return (
    <dialog ref={dialog} className={`dialog ${wish}`} aria-labelledby="control-title" onClose={onClose}>
      <form onSubmit={submit}>
        <h2 id="control-title">
          {words.title} {account}?
        </h2>
        <Consequences wish={wish} desk={desk} />
        <label>
          Reason, for the record
          <input
            value={reason}
            onChange={(event) => setReason(event.target.value)}
            placeholder={words.placeholder}
            minLength={3}
            maxLength={500}
            required
            autoFocus
          />
        </label>
        {problem && (
          <p className="dialog-problem" role="alert">
            {problem.what}. {problem.fix}
          </p>
        )}
        <footer>
          <button type="button" className="button quiet" onClick={onClose}>
            Cancel
          </button>
          <button
            className={wish === 'killed' ? 'button kill' : 'button primary'}
            disabled={busy || reason.trim().length < 3}
          >
            {busy ? words.busy : words.button}
          </button>
        </footer>
      </form>
    </dialog>
  )
}

const counted = (count: number, noun: string): string =>
  count === 1 ? `The ${noun} is` : `All ${count} ${noun}s are`

function Consequences({ wish, desk }: { wish: Wish; desk: Desk }) {
  if (wish === 'running') return <p>The engine may open positions again from its next decision on.</p>
  if (wish === 'paused') return <p>No new risk from now on. Positions stay, and may only be reduced.</p>
  const open = [...desk.orders.values()].filter(isOpen).length
  const held = [...desk.positions.values()].filter((position) => Number(position.qty) !== 0).length
  return (
    <ol>
      <li>No order that adds risk starts more than a second from now.</li>
      <li>{open === 0 ? 'What may still be open is cancelled.' : `${counted(open, 'open order')} cancelled.`}</li>
      <li>{held === 0 ? 'What may still fill is closed again.' : `${counted(held, 'position')} closed at the market.`}</li>
      <li>The broker itself is asked until it shows nothing open.</li>
    </ol>
  )
}
