import { useState, type FormEvent } from 'react'
import type { Problem, Session } from '../client/contract'
import { ApiError, type Client } from '../client/http'
import { Mark } from '../parts/Mark'

interface Props {
  client: Client
  ended: Problem | null
  onEnter: (session: Session) => void
}

export function Login({ client, ended, onEnter }: Props) {
  const [problem, setProblem] = useState<Problem | null>(ended)
  const [busy, setBusy] = useState(false)

  async function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    setBusy(true)
    setProblem(null)
    try {
      onEnter(await client.login(String(form.get('name')), String(form.get('password'))))
    } catch (error) {
      setProblem(error instanceof ApiError ? error.problem : { what: String(error), fix: '', code: '' })
      setBusy(false)
    }
  }

  return (
    <main className="login">
      <form onSubmit={submit} aria-label="Log in">
        <h1>
          <Mark /> Slipway
        </h1>
        <p className="login-lead">Trade monitor</p>
        <label>
          Name
          <input name="name" defaultValue="admin" autoComplete="username" required maxLength={64} />
        </label>
        <label>
          Password
          <input name="password" type="password" autoComplete="current-password" required autoFocus maxLength={256} />
        </label>
        {problem && (
          <p className="login-problem" role="alert">
            {problem.what}. {problem.fix}
          </p>
        )}
        <button className="button primary" disabled={busy}>
          {busy ? 'Logging in…' : 'Log in'}
        </button>
        <p className="login-hint">
          First time here? <code>./slipway status</code> shows your first password.
        </p>
      </form>
    </main>
  )
}
