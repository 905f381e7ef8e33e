import { useState } from 'react'
import type { Problem, Session } from '../client/contract'
import type { Client } from '../client/http'
import { Mark } from '../parts/Mark'
import { usePolled } from '../state/usePolled'
import { DeskView } from './DeskView'

interface Props {
  client: Client
  session: Session
  onLeave: () => void
  onLoggedOut: (why: Problem) => void
}

/** Which account is on screen; the newest one unless somebody chose. */
export function Rooms({ client, session, onLeave, onLoggedOut }: Props) {
  const [chosen, setChosen] = useState<string | null>(null)
  const accounts = usePolled(client.accounts, 15_000, 'accounts')
  const names = accounts.data?.map((account) => account.name) ?? []
  const account = chosen && names.includes(chosen) ? chosen : names.at(-1)

  if (account) {
    return (
      <DeskView
        key={account}
        {...{ client, session, account, names, onLeave, onLoggedOut }}
        onChoose={setChosen}
      />
    )
  }
  return (
    <main className="welcome">
      <Mark />
      {accounts.problem ? (
        <p role="alert">
          {accounts.problem.what}. {accounts.problem.fix}
        </p>
      ) : accounts.data ? (
        <>
          <h1>No account trades here yet</h1>
          <p>
            Run <code>./slipway demo</code> to take a strategy from research to paper trading, or{' '}
            <code>./slipway trade run</code> to trade one that was promoted. It appears here by itself.
          </p>
        </>
      ) : (
        <p>Looking for accounts…</p>
      )}
      <button className="button quiet" onClick={onLeave}>
        Log out
      </button>
    </main>
  )
}
