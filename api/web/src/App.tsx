import { useCallback, useEffect, useMemo, useRef, useState } from 'react'
import type { Problem, Session } from './client/contract'
import { Client } from './client/http'
import { renewInMs, storedSession, storeSession } from './client/session'
import { Login } from './panels/Login'
import { Rooms } from './panels/Rooms'

export function App() {
  const [session, setSession] = useState<Session | null>(storedSession)
  const [ended, setEnded] = useState<Problem | null>(null)
  const token = useRef<string | null>(null)
  token.current = session?.token ?? null

  const enter = useCallback((next: Session | null, why: Problem | null = null) => {
    storeSession(next)
    setSession(next)
    setEnded(why)
  }, [])
  const loggedOut = useCallback((why: Problem) => enter(null, why), [enter])
  const client = useMemo(() => new Client(() => token.current, loggedOut), [loggedOut])

  useEffect(() => {
    if (!session) return
    const renew = () => client.renew().then(enter, () => (timer = window.setTimeout(renew, 5_000)))
    let timer = window.setTimeout(renew, renewInMs(session))
    return () => clearTimeout(timer)
  }, [session, client, enter])

  if (!session) return <Login client={client} ended={ended} onEnter={enter} />
  return <Rooms client={client} session={session} onLeave={() => enter(null)} onLoggedOut={loggedOut} />
}
