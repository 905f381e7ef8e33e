import type { ReactNode } from 'react'

interface Props {
  name: string
  area: string
  count?: number | undefined
  tools?: ReactNode
  age?: ReactNode
  children: ReactNode
}

export function Panel({ name, area, count, tools, age, children }: Props) {
  return (
    <section className="panel" style={{ gridArea: area }} aria-label={name}>
      <header className="panel-head">
        <h2>
          {name}
          {count !== undefined && <small>{count}</small>}
        </h2>
        {tools}
        <span className="spacer" />
        {age}
      </header>
      <div className="panel-body">{children}</div>
    </section>
  )
}

/** An empty panel says what to do next. */
export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <p>{title}</p>
      {children && <p className="empty-hint">{children}</p>}
    </div>
  )
}
