import type { Notification } from './notification.ts'

/** A target and the caller whose notifications it receives. */
export interface Recipient {
  readonly target: string
  /**
   * Caller whose notifications the target receives; undefined for a target of the operator, which
   * receives those of all callers.
   */
  readonly caller?: string | undefined
}

/**
 * Returns a function that lists the targets of a notification. A notification of one caller is
 * never sent to a target of another caller.
 */
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
