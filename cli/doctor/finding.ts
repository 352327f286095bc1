/** A problem or a hint, with a remedy. It is printed on one line. */
export interface Finding {
  readonly severity: 'problem' | 'hint'
  readonly about: string
  readonly what: string
  readonly todo: string
}

export function problem(about: string, what: string, todo: string): Finding {
  return { severity: 'problem', about, what, todo }
}
