import { useSyncExternalStore } from 'react'

// One timer for all ages on the screen.
const listeners = new Set<() => void>()
let now = Date.now()
let timer = 0

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  timer ||= window.setInterval(() => {
    now = Date.now()
    for (const each of listeners) each()
  }, 500)
  return () => {
    listeners.delete(listener)
    if (listeners.size === 0) {
      clearInterval(timer)
      timer = 0
    }
  }
}

export const useClock = (): number => useSyncExternalStore(subscribe, () => now)
