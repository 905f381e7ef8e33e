import { useEffect, useState } from 'react'
import { ApiError } from '../client/http'
import type { Problem } from '../client/contract'

export interface Polled<T> {
  data: T | null
  at: number | null // when it last arrived
  problem: Problem | null
}

/** Asks again every `everyMs`, and soon after `trigger` changes; the last good answer stays, with its age. */
export function usePolled<T>(ask: () => Promise<T>, everyMs: number, key: string, trigger?: unknown): Polled<T> {
  const [polled, setPolled] = useState<Polled<T> & { key: string }>({ key, data: null, at: null, problem: null })

  useEffect(() => {
    let over = false
    const run = () =>
      ask().then(
        (data) => over || setPolled({ key, data, at: Date.now(), problem: null }),
        (error: unknown) => {
          const problem = error instanceof ApiError ? error.problem : null
          if (!over && problem) setPolled((last) => ({ ...(last.key === key ? last : { key, data: null, at: null }), problem }))
        },
      )
    const soon = window.setTimeout(run, 150) // a burst of triggers asks once
    const timer = window.setInterval(run, everyMs)
    return () => {
      over = true
      clearTimeout(soon)
      clearInterval(timer)
    }
    // `ask` is made anew on every render; `key` says when it asks for something else.
  }, [key, everyMs, trigger])

  return polled.key === key ? polled : { data: null, at: null, problem: null }
}
