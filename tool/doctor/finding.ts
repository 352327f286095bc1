/** Something that is not as it should be, and what to do about it. One line each. */
export interface Finding {
  readonly severity: 'problem' | 'hint'
  readonly about: string
  readonly what: string
  readonly todo: string
}

export function problem(about: string, what: string, todo: string): Finding {
  return { severity: 'problem', about, what, todo }
}
