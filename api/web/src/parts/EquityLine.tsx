import { BaselineSeries, createChart, type ISeriesApi, type UTCTimestamp } from 'lightweight-charts'
import { useEffect, useRef } from 'react'
import type { Equity } from '../client/contract'
import { dollars } from '../format'
import { DOWN, LOOK, UP } from './chart'

/** Above what the account opened with in green, below it in red. */
export function EquityLine({ equity }: { equity: Equity }) {
  const place = useRef<HTMLDivElement>(null)
  const series = useRef<ISeriesApi<'Baseline'> | null>(null)
  const whole = useRef(() => {})

  useEffect(() => {
    const chart = createChart(place.current!, {
      ...LOOK,
      layout: { ...LOOK.layout, attributionLogo: false }, // the candles beside it carry it
      rightPriceScale: { ...LOOK.rightPriceScale, scaleMargins: { top: 0.14, bottom: 0.12 } },
    })
    series.current = chart.addSeries(BaselineSeries, {
      topLineColor: UP,
      topFillColor1: `${UP}44`,
      topFillColor2: `${UP}08`,
      bottomLineColor: DOWN,
      bottomFillColor1: `${DOWN}08`,
      bottomFillColor2: `${DOWN}44`,
      lineWidth: 2,
      priceFormat: { type: 'custom', minMove: 0.01, formatter: dollars },
      priceLineVisible: false,
    })
    chart.timeScale().applyOptions({ rightOffset: 2 })
    whole.current = () => chart.timeScale().fitContent()
    return () => chart.remove()
  }, [])

  useEffect(() => {
    const line = series.current
    if (!line) return
    line.applyOptions({ baseValue: { type: 'price', price: equity.opening_cash } })
    line.setData(
      equity.points.map((point) => ({
        time: Math.floor(Date.parse(point.ts_utc) / 1000) as UTCTimestamp,
        value: point.equity,
      })),
    )
    whole.current()
  }, [equity])

  return <div className="chart" ref={place} role="img" aria-label="Equity over time" />
}
