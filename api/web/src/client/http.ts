// The HTTP half of the typed client: one function per endpoint, one kind of error.
import type * as wire from './contract'

export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly problem: wire.Problem,
  ) {
    super(problem.what)
  }
}

const OFFLINE: wire.Problem = {
  what: 'The monitor’s server does not answer',
  fix: 'Start it with ./slipway up.',
  code: 'offline',
}

export class Client {
  /** `onLoggedOut` is told once the server no longer accepts the token. */
  constructor(
    private readonly token: () => string | null,
    private readonly onLoggedOut: (why: wire.Problem) => void,
  ) {}

  login = (name: string, password: string) =>
    this.send<wire.Session>('POST', '/api/auth/login', { name, password } satisfies wire.Login)
  renew = () => this.send<wire.Session>('POST', '/api/auth/renew')
  accounts = () => this.get<wire.Account[]>('/api/accounts')
  symbols = () => this.get<wire.Symbol[]>('/api/symbols')
  versions = () => this.get<wire.Version[]>('/api/versions')
  equity = (account: string) => this.get<wire.Equity>('/api/equity', { account })
  candles = (symbol: string, end?: Date) =>
    this.get<wire.Candles>('/api/candles', { symbol, limit: '2000', ...(end && { end: end.toISOString() }) })
  setControl = (change: wire.ControlChange) => this.send<wire.Control>('POST', '/api/control', change)

  private get<T>(path: string, query: Record<string, string> = {}): Promise<T> {
    const search = new URLSearchParams(query).toString()
    return this.send<T>('GET', search ? `${path}?${search}` : path)
  }

  private async send<T>(method: string, path: string, body?: unknown): Promise<T> {
    const token = this.token()
    const headers = new Headers()
    if (token) headers.set('Authorization', `Bearer ${token}`)
    if (body !== undefined) headers.set('Content-Type', 'application/json')
    const answer = await fetch(path, {
      method,
      headers,
      body: body === undefined ? null : JSON.stringify(body),
      signal: AbortSignal.timeout(10_000),
    }).catch(() => {
      throw new ApiError(0, OFFLINE)
    })
    if (answer.ok) return (await answer.json()) as T
    const told = (await answer.json().catch(() => null)) as wire.ErrorAnswer | null
    const problem = told?.error ?? { ...OFFLINE, what: `The server answered ${answer.status}` }
    if (answer.status === 401 && token) this.onLoggedOut(problem)
    throw new ApiError(answer.status, problem)
  }
}
