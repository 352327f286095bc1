import type { Notification, NotificationKind } from '../notification.ts'

/** Plain text, whatever is in it: how it becomes text or HTML is decided in one place (`message.ts`). */
export interface Words {
  /** Never holds anything that a user wrote: it becomes a header of an e-mail. */
  readonly subject: string
  readonly introduction: string
  /** One for each line of the order. */
  readonly lines: readonly string[]
}

/** A language: the words for every kind of notification. */
export type Wording = {
  readonly [Kind in NotificationKind]: (notification: Extract<Notification, { kind: Kind }>) => Words
}
