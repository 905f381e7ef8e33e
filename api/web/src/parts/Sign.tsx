interface Props {
  name: string
  state: 'good' | 'warn' | 'bad' | 'idle'
  text: string
  hint?: string | undefined
}

/** A part of the system, how it is, and since when. */
export function Sign({ name, state, text, hint }: Props) {
  return (
    <span className={`sign ${state}`} title={hint}>
      <i aria-hidden="true" />
      <span className="sign-name">{name}</span> <b>{text}</b>
    </span>
  )
}
