// The WebSocket half: connects, greets, watches for silence, comes back with patience.
import type { Deltas, ErrorAnswer, Pong, Problem, Pulse, Renewed, Resync, Snapshot, Ticks } from './contract'

export type Frame = Snapshot | Deltas | Pulse | Ticks | Resync | Renewed | Pong

export type Link =
  | { state: 'connecting' }
  | { state: 'live' }
  | { state: 'lost'; retryAt: number; why: string }

interface Listener {
  frame(frame: Frame): void
  link(link: Link): void
  loggedOut(why: Problem): void
}

const SILENCE_MS = 5_000 // the server speaks every second
const BACKOFF_MS = [250, 500, 1_000, 2_000, 4_000, 8_000]
const NOT_AUTHENTICATED = 4401

export class Stream {
  private socket: WebSocket | null = null
  private failures = 0
  private retry = 0
  private watchdog = 0
  private closed = false
  private problem: Problem | null = null

  constructor(
    private readonly account: string,
    private readonly token: () => string | null,
    private readonly listener: Listener,
  ) {
    this.connect()
  }

  resync = () => this.say({ type: 'resync' })
  renew = (token: string) => this.say({ type: 'renew', token })

  close(): void {
    this.closed = true
    clearTimeout(this.retry)
    clearTimeout(this.watchdog)
    this.socket?.close()
  }

  private connect = (): void => {
    this.problem = null
    this.listener.link({ state: 'connecting' })
    const scheme = location.protocol === 'https:' ? 'wss' : 'ws'
    const socket = new WebSocket(`${scheme}://${location.host}/api/stream`)
    this.socket = socket
    this.expectSound()
    socket.onopen = () => this.say({ type: 'hello', token: this.token() ?? '', account: this.account })
    socket.onmessage = (message) => {
      if (socket !== this.socket) return
      this.expectSound()
      this.hear(JSON.parse(message.data as string) as Frame | ErrorAnswer)
    }
    socket.onclose = (event) => {
      if (socket === this.socket) this.lost(event)
    }
  }

  private hear(frame: Frame | ErrorAnswer): void {
    if ('error' in frame) {
      this.problem = frame.error
      return
    }
    if (frame.type === 'snapshot') {
      this.failures = 0
      this.listener.link({ state: 'live' })
    }
    this.listener.frame(frame)
  }

  private lost(event: CloseEvent): void {
    clearTimeout(this.watchdog)
    if (this.closed) return
    if (event.code === NOT_AUTHENTICATED) {
      this.closed = true
      this.listener.loggedOut(this.problem ?? { what: 'Your session ended', fix: 'Log in again.', code: '' })
      return
    }
    const pause = BACKOFF_MS[Math.min(this.failures, BACKOFF_MS.length - 1)] ?? 8_000
    const wait = pause * (0.75 + Math.random() / 2) // so that a room full of screens does not return at once
    this.failures += 1
    this.listener.link({ state: 'lost', retryAt: Date.now() + wait, why: this.problem?.what ?? 'no connection' })
    this.retry = window.setTimeout(this.connect, wait)
  }

  /** A connection that has gone silent is a lost one, whatever TCP thinks of it. */
  private expectSound(): void {
    clearTimeout(this.watchdog)
    this.watchdog = window.setTimeout(() => {
      const silent = this.socket
      this.socket = null
      silent?.close()
      this.lost(new CloseEvent('close', { code: 4000 }))
    }, SILENCE_MS)
  }

  private say(message: object): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message))
  }
}
