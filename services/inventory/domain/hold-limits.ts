import type { OrderToDecide } from './order.ts'

/** Limits on the holds of each caller. They are off unless they are set. */
export interface HoldLimits {
  /** The longest hold that an order can request. */
  readonly seconds: CallerLimits
  /** How many pieces the unconfirmed holds of a caller can have together. */
  readonly quantity: CallerLimits
}

/** A limit by caller, with `*` for every other caller and for orders without a caller. */
export type CallerLimits = ReadonlyMap<string, number>

export const everyCaller = '*'

export const noHoldLimits: HoldLimits = { seconds: new Map(), quantity: new Map() }

/** The pieces in unconfirmed holds, by caller as `holderOf` names it. */
export type HeldPieces = ReadonlyMap<string, number>

/** Returns the name under which held pieces are counted; empty for an order without a caller. */
export function holderOf({ caller }: { readonly caller?: string | undefined }): string {
  return caller ?? ''
}

/** Returns the limit of a holder; undefined when there is none. */
export function limitOf(limits: CallerLimits, holder: string): number | undefined {
  return limits.get(holder) ?? limits.get(everyCaller)
}

/** Returns the holders of a batch whose held pieces have to be known before it is decided. */
export function limitedHolders(orders: readonly OrderToDecide[], { quantity }: HoldLimits): string[] {
  if (quantity.size === 0) return []
  const holders = orders.filter(({ holdSeconds = null }) => holdSeconds !== null).map(holderOf)
  return [...new Set(holders)].filter(holder => limitOf(quantity, holder) !== undefined).sort()
}

/** Parses limits such as `berlin=3600` and `*=86400`. @throws RangeError with a sentence that names the entry */
export function parseCallerLimits(entries: readonly string[]): CallerLimits {
  const limits = new Map<string, number>()
  for (const entry of entries) {
    const [, caller, digits] = /^([^=]+)=(\d{1,15})$/.exec(entry.trim()) ?? []
    if (caller === undefined)
      throw new RangeError(`"${entry}" is not a caller, "=" and a whole number, like berlin=3600`)
    if (limits.has(caller)) throw new RangeError(`"${caller}" has two limits`)
    limits.set(caller, Number(digits))
  }
  return limits
}
