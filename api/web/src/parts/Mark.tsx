/** A hull on a slipway. */
export function Mark() {
  return (
    <svg className="mark" viewBox="4 8 24 19" aria-hidden="true">
      <path d="M6 10.5h17l-3.6 7H9.2z" fill="var(--accent)" />
      <path d="M5 24.5 27 17" stroke="var(--up)" strokeWidth="2.6" strokeLinecap="round" />
    </svg>
  )
}
