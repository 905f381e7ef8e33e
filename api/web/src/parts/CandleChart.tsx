import {
  CandlestickSeries,
  createChart,
  createSeriesMarkers,
  HistogramSeries,
  type IChartApi,
  type ISeriesApi,
  type ISeriesMarkersPluginApi,
  type SeriesMarker,
  type Time,
  type UTCTimestamp,
} from 'lightweight-charts'
import { useEffect, useRef } from 'react'
import type { Candles, Fill } from '../client/contract'
import { qty } from '../format'
import { barTime } from '../state/figures'
import { DOWN, LOOK, UP } from './chart'

type Candle = Candles['candles'][number]

interface Props {
  symbol: string
  candles: Candle[]
  fills: Fill[]
  until: number | null // the account's market clock: later candles are its future
}

interface Drawn {
  chart: IChartApi
  price: ISeriesApi<'Candlestick'>
  volume: ISeriesApi<'Histogram'>
  markers: ISeriesMarkersPluginApi<Time>
}

const SHOWN_AT_FIRST = 180 // minutes
const LABELLED_MAX = 60 // arrows beyond that speak for themselves

export function CandleChart({ symbol, candles, fills, until }: Props) {
  const place = useRef<HTMLDivElement>(null)
  const drawn = useRef<Drawn | null>(null)
  const framed = useRef('')

  useEffect(() => {
    const chart = createChart(place.current!, LOOK)
    const price = chart.addSeries(CandlestickSeries, {
      upColor: UP,
      wickUpColor: UP,
      borderUpColor: UP,
      downColor: DOWN,
      wickDownColor: DOWN,
      borderDownColor: DOWN,
    })
    const volume = chart.addSeries(HistogramSeries, {
      priceScaleId: 'volume',
      priceFormat: { type: 'volume' },
      lastValueVisible: false,
      priceLineVisible: false,
    })
    price.priceScale().applyOptions({ scaleMargins: { top: 0.1, bottom: 0.22 } })
    volume.priceScale().applyOptions({ scaleMargins: { top: 0.86, bottom: 0 } })
    drawn.current = { chart, price, volume, markers: createSeriesMarkers<Time>(price, []) }
    framed.current = ''
    return () => {
      drawn.current = null
      chart.remove()
    }
  }, [])

  useEffect(() => {
    const on = drawn.current
    if (!on) return
    const seen = until === null ? candles : candles.filter(([at]) => at * 1000 <= until)
    on.price.setData(seen.map(([at, open, high, low, close]) => ({ time: at as UTCTimestamp, open, high, low, close })))
    on.volume.setData(
      seen.map(([at, open, , , close, volume]) => ({
        time: at as UTCTimestamp,
        value: volume,
        color: `${close >= open ? UP : DOWN}38`,
      })),
    )
    if (framed.current !== symbol && seen.length > 0) {
      framed.current = symbol // later on the view is the person's own
      on.chart.timeScale().setVisibleLogicalRange({ from: seen.length - SHOWN_AT_FIRST, to: seen.length + 4 })
    }
  }, [candles, until, symbol])

  useEffect(() => {
    const first = candles[0]?.[0] ?? 0
    const shown = fills.filter((fill) => barTime(fill) >= first * 1000)
    drawn.current?.markers.setMarkers(shown.map((fill) => marker(fill, shown.length <= LABELLED_MAX)))
  }, [fills, candles])

  return (
    <div className="candles">
      <div className="chart" ref={place} role="img" aria-label={`Candles of ${symbol} with ${fills.length} own fills`} />
      <small>TradingView Lightweight Charts™ © TradingView, Inc.</small>
    </div>
  )
}

function marker(fill: Fill, labelled: boolean): SeriesMarker<Time> {
  const bought = fill.side === 'buy'
  return {
    time: (Math.floor(barTime(fill) / 60_000) * 60) as UTCTimestamp,
    position: bought ? 'belowBar' : 'aboveBar',
    shape: bought ? 'arrowUp' : 'arrowDown',
    color: bought ? '#4fe3b4' : '#ff8b95',
    ...(labelled && { text: qty(Number(fill.qty)) }),
  }
}
