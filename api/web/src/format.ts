// How things are written on this desk.  Times are the market's: New York.
const ZONE = 'America/New_York'

const whole = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 })
const cents = new Intl.NumberFormat('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 2 })
const quantity = new Intl.NumberFormat('en-US', { maximumFractionDigits: 6 })
const time = new Intl.DateTimeFormat('en-GB', { timeZone: ZONE, hour: '2-digit', minute: '2-digit', second: '2-digit' })
const minute = new Intl.DateTimeFormat('en-GB', { timeZone: ZONE, hour: '2-digit', minute: '2-digit' })
const day = new Intl.DateTimeFormat('en-GB', { timeZone: ZONE, day: 'numeric', month: 'short' })

export const money = (value: number | null): string => (value === null ? '—' : cents.format(value))
export const dollars = (value: number | null): string => (value === null ? '—' : whole.format(value))
export const qty = (value: number): string => quantity.format(value)
export const price = (value: number | null): string => (value === null ? '—' : cents.format(value))

export function signed(value: number | null): string {
  if (value === null) return '—'
  const text = cents.format(Math.abs(value))
  return text === '0.00' ? text : `${value > 0 ? '+' : '−'}${text}`
}

export const tone = (value: number | null): string =>
  value === null || Math.abs(value) < 0.005 ? '' : value > 0 ? 'up' : 'down'

export const clock = (at: string | number): string => time.format(new Date(at))
export const hourMinute = (at: number): string => minute.format(new Date(at))
export const date = (at: string | number): string => day.format(new Date(at))
export const dateTime = (at: string | number): string => `${date(at)} ${minute.format(new Date(at))}`

/** A day without a time, such as a session. */
export const sessionDay = (iso: string): string => date(`${iso}T12:00:00-05:00`)

export function age(ms: number): string {
  const s = Math.max(0, ms) / 1000
  if (s < 10) return `${s.toFixed(1)} s`
  if (s < 60) return `${Math.floor(s)} s`
  if (s < 3600) return `${Math.floor(s / 60)} min`
  if (s < 86_400) return `${Math.floor(s / 3600)} h`
  return `${Math.floor(s / 86_400)} d`
}

export const millis = (ms: number | null): string =>
  ms === null ? '—' : ms < 10 ? ms.toFixed(1) : ms < 1000 ? ms.toFixed(0) : `${(ms / 1000).toFixed(1)}k`
