import { failureReasons, type Shortage } from '@orderly/contracts'
import type { Notification, NotificationKind } from '../notification.ts'

/**
 * Plain text of a notification. `message.ts` is the only place that converts it to text or HTML.
 */
export interface Words {
  /** Subject line; it never contains user input, because it becomes an e-mail header. */
  readonly subject: string
  readonly introduction: string
  /** One text per line of the order. */
  readonly lines: readonly string[]
}

/** Formats a time to the minute, in UTC. */
export function minuteOf(isoTime: string): string {
  return `${isoTime.slice(0, isoTime.lastIndexOf(':')).replace('T', ' ')} UTC`
}

/** Returns one text per line of the order. */
export function linesOf(items: readonly { readonly sku: string; readonly quantity: number }[]): string[] {
  return items.map(({ sku, quantity }) => `${quantity} × ${sku}`)
}

/** Returns one text per shortage, chosen by its reason. */
export function shortLinesOf(
  shortages: readonly Shortage[],
  words: { readonly unknown: (sku: string) => string; readonly short: (shortage: Shortage) => string }
): string[] {
  return shortages.map(shortage =>
    shortage.reason === failureReasons.unknownSKU ? words.unknown(shortage.sku) : words.short(shortage)
  )
}

/** The texts of one language for every kind of notification. */
export type Wording = {
  readonly [Kind in NotificationKind]: (notification: Extract<Notification, { kind: Kind }>) => Words
}
