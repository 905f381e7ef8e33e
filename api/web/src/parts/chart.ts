// The look that all charts share.
import { ColorType, CrosshairMode, TickMarkType, type DeepPartial, type ChartOptions, type Time } from 'lightweight-charts'
import { date, dateTime, hourMinute } from '../format'

export const UP = '#2fbf8f'
export const DOWN = '#f0616d'

export const LOOK: DeepPartial<ChartOptions> = {
  autoSize: true,
  layout: {
    background: { type: ColorType.Solid, color: 'transparent' },
    textColor: '#8893a5',
    fontFamily: "'Inter Variable', system-ui, sans-serif",
    fontSize: 11,
  },
  grid: { vertLines: { color: '#161d28' }, horzLines: { color: '#161d28' } },
  rightPriceScale: { borderColor: '#1e2632' },
  timeScale: {
    borderColor: '#1e2632',
    timeVisible: true,
    secondsVisible: false,
    tickMarkFormatter: (time: Time, kind: TickMarkType) =>
      kind < TickMarkType.Time ? date(ms(time)) : hourMinute(ms(time)),
  },
  crosshair: {
    mode: CrosshairMode.Normal,
    vertLine: { color: '#3a4658', labelBackgroundColor: '#263041' },
    horzLine: { color: '#3a4658', labelBackgroundColor: '#263041' },
  },
  localization: { timeFormatter: (time: Time) => `${dateTime(ms(time))} NY` },
}

export const ms = (time: Time): number => Number(time) * 1000
