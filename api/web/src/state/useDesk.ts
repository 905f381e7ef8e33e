// Keeps one account's desk in step with the server.
import { useEffect, useRef, useState } from 'react'
import type { Problem } from '../client/contract'
import { Stream, type Link } from '../client/stream'
import { fold, type Desk } from './desk'

export interface LiveDesk {
  desk: Desk | null
  link: Link
}

export function useDesk(account: string, token: string, onLoggedOut: (why: Problem) => void): LiveDesk {
  const [desk, setDesk] = useState<Desk | null>(null)
  const [link, setLink] = useState<Link>({ state: 'connecting' })
  const newest = useRef({ token, onLoggedOut })
  newest.current = { token, onLoggedOut }
  const stream = useRef<Stream | null>(null)

  useEffect(() => {
    let known: Desk | null = null
    let asked = false // one resync at a time
    setDesk(null)
    const opened = new Stream(account, () => newest.current.token, {
      link: setLink,
      loggedOut: (why) => newest.current.onLoggedOut(why),
      frame: (frame) => {
        if (frame.type === 'snapshot') asked = false
        const step = fold(known, frame, Date.now())
        known = step.desk
        if (step.gap && !asked) {
          asked = true
          opened.resync()
        }
        setDesk(known)
      },
    })
    stream.current = opened
    return () => opened.close()
  }, [account])

  useEffect(() => stream.current?.renew(token), [token])

  return { desk, link }
}
