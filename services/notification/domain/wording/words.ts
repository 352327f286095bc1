import { failureReasons, type Shortage } from '@orderly/contracts'
import type { Notification, NotificationKind } from '../notification.ts'

/** Plain text, whatever is in it: how it becomes text or HTML is decided in one place (`message.ts`). */
export interface Words {
  /** Never holds anything that a user wrote: it becomes a header of an e-mail. */
  readonly subject: string
  readonly introduction: string
  /** One for each line of the order. */
  readonly lines: readonly string[]
}

/** To the minute, in the one time zone that every reader can convert. */
export function minuteOf(isoTime: string): string {
  return `${isoTime.slice(0, isoTime.lastIndexOf(':')).replace('T', ' ')} UTC`
}

/** One for each line of the order. */
export function linesOf(items: readonly { readonly sku: string; readonly quantity: number }[]): string[] {
  return items.map(({ sku, quantity }) => `${quantity} × ${sku}`)
}

/** One for each line that could not be reserved, worded by its own reason. */
export function shortLinesOf(
  shortages: readonly Shortage[],
  words: { readonly unknown: (sku: string) => string; readonly short: (shortage: Shortage) => string }
): string[] {
  return shortages.map(shortage =>
    shortage.reason === failureReasons.unknownSKU ? words.unknown(shortage.sku) : words.short(shortage)
  )
}

/** A language: the words for every kind of notification. */
export type Wording = {
  readonly [Kind in NotificationKind]: (notification: Extract<Notification, { kind: Kind }>) => Words
}
