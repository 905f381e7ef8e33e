// The log-in of this tab: gone when the tab closes, renewed while it is open.
import type { Session } from './contract'

const KEY = 'slipway.session'

export function storedSession(): Session | null {
  try {
    const session = JSON.parse(sessionStorage.getItem(KEY) ?? 'null') as Session | null
    return session && Date.parse(session.expires_at) > Date.now() ? session : null
  } catch {
    return null
  }
}

export function storeSession(session: Session | null): void {
  if (session) sessionStorage.setItem(KEY, JSON.stringify(session))
  else sessionStorage.removeItem(KEY)
}

/** When to ask for the next token: with a third of this one's life to spare. */
export function renewInMs(session: Session): number {
  return Math.max(5_000, (Date.parse(session.expires_at) - Date.now()) * (2 / 3))
}

const RANK: Record<string, number> = { viewer: 1, trader: 2, approver: 3, admin: 4 }

export const mayTrade = (session: Session): boolean => (RANK[session.role] ?? 0) >= 2
