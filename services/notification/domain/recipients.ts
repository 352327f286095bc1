import type { Notification } from './notification.ts'

/** A target, with whose notifications it receives. */
export interface Recipient {
  readonly target: string
  /** The caller whose notifications it receives; undefined for a target of the operator, which receives those of all callers. */
  readonly caller?: string | undefined
}

/** Returns a function that lists the targets of a notification. No notification of one caller has a target of another one. */
export function targetsFor(recipients: readonly Recipient[]): (notification: Notification) => readonly string[] {
  const ofAll = recipients.filter(({ caller }) => caller === undefined).map(({ target }) => target)
  const byCaller = Map.groupBy(recipients, ({ caller }) => caller)
  const known = new Map(
    [...byCaller].map(([caller, own]) => [
      caller,
      caller === undefined ? ofAll : [...ofAll, ...own.map(({ target }) => target)]
    ])
  )
  return ({ caller }) => known.get(caller) ?? ofAll
}
