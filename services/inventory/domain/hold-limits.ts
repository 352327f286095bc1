import type { OrderToDecide } from './order.ts'

/** Limits on the holds of each caller; unlimited by default. */
export interface HoldLimits {
  /** Maximum duration of a hold. */
  readonly seconds: CallerLimits
  /** Maximum total of pieces in the unconfirmed holds of a caller. */
  readonly quantity: CallerLimits
}

/** Limits by caller; `*` applies to all other callers and to orders without a caller. */
export type CallerLimits = ReadonlyMap<string, number>

export const everyCaller = '*'

export const noHoldLimits: HoldLimits = { seconds: new Map(), quantity: new Map() }

/** Pieces in unconfirmed holds, by the name that `holderOf` returns. */
export type HeldPieces = ReadonlyMap<string, number>

/** Returns the name under which held pieces are counted; empty for an order without a caller. */
export function holderOf({ caller }: { readonly caller?: string | undefined }): string {
  return caller ?? ''
}

/** Returns the limit of a holder; undefined when there is none. */
export function limitOf(limits: CallerLimits, holder: string): number | undefined {
  return limits.get(holder) ?? limits.get(everyCaller)
}

/**
 * Returns the holders in a batch that have a quantity limit, so their held pieces must be read
 * first.
 */
export function limitedHolders(orders: readonly OrderToDecide[], { quantity }: HoldLimits): string[] {
  if (quantity.size === 0) return []
  const holders = orders.filter(({ holdSeconds = null }) => holdSeconds !== null).map(holderOf)
  return [...new Set(holders)].filter(holder => limitOf(quantity, holder) !== undefined).sort()
}

/**
 * Parses limits such as `berlin=3600` and `*=86400`.
 * @throws RangeError that names the invalid entry
 */
export function parseCallerLimits(entries: readonly string[]): CallerLimits {
  const limits = new Map<string, number>()
  for (const entry of entries) {
    const [, caller, digits] = /^([^=]+)=(\d{1,15})$/.exec(entry.trim()) ?? []
    if (caller === undefined)
      throw new RangeError(`invalid limit "${entry}": use CALLER=NUMBER with a whole number, such as berlin=3600`)
    if (limits.has(caller)) throw new RangeError(`duplicate limit for "${caller}": set one`)
    limits.set(caller, Number(digits))
  }
  return limits
}
