import { useCallback, useState } from 'react'
import type { ControlChange, Problem, Session } from '../client/contract'
import type { Client } from '../client/http'
import { mayTrade } from '../client/session'
import { useDesk } from '../state/useDesk'
import { Banner } from './Banner'
import { ChartPanel } from './ChartPanel'
import { ControlDialog, type Wish } from './ControlDialog'
import { EquityPanel } from './EquityPanel'
import { FillsPanel } from './FillsPanel'
import { Figures } from './Figures'
import { Header } from './Header'
import { OrdersPanel } from './OrdersPanel'
import { PositionsPanel } from './PositionsPanel'
import { VersionsPanel } from './VersionsPanel'

interface Props {
  client: Client
  session: Session
  account: string
  names: string[]
  onChoose: (account: string) => void
  onLeave: () => void
  onLoggedOut: (why: Problem) => void
}

/** Everything about one account on one screen. */
export function DeskView({ client, session, account, names, onChoose, onLeave, onLoggedOut }: Props) {
  const { desk, link } = useDesk(account, session.token, onLoggedOut)
  const [wish, setWish] = useState<Wish | null>(null)
  const [symbol, setSymbol] = useState<string | null>(null)
  const change = useCallback((wanted: ControlChange) => client.setControl(wanted), [client])

  return (
    <div className="desk">
      <Header
        {...{ desk, link, session, account, names, onChoose, onLeave }}
        mayControl={mayTrade(session)}
        onWish={setWish}
      />
      <Banner desk={desk} link={link} />
      {desk ? (
        <>
          <Figures desk={desk} />
          <main className="grid">
            <ChartPanel client={client} desk={desk} chosen={symbol} onChoose={setSymbol} />
            <PositionsPanel desk={desk} onChoose={setSymbol} />
            <EquityPanel client={client} desk={desk} />
            <OrdersPanel desk={desk} onChoose={setSymbol} />
            <FillsPanel desk={desk} onChoose={setSymbol} />
            <VersionsPanel client={client} desk={desk} />
          </main>
        </>
      ) : (
        <main className="welcome">
          <p>Waiting for the picture of {account}…</p>
        </main>
      )}
      {wish && desk && <ControlDialog wish={wish} desk={desk} onChange={change} onClose={() => setWish(null)} />}
    </div>
  )
}
