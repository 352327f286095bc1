/**
 * A limited resource (open streams, waiting requests, bytes of bodies) that callers share. Each
 * caller may take only a part, so that it cannot exclude the others.
 */
export interface Shares {
  /**
   * Acquires an amount if both limits allow it.
   * @param caller undefined while API keys are off; then only the total limit applies
   * @returns a function that releases the amount, or the limit that would be exceeded
   */
  acquire(caller: string | undefined, amount?: number): (() => void) | ExceededLimit
}

export type ExceededLimit = 'total' | 'caller'

export interface ShareLimits {
  readonly total: number
  readonly perCaller: number
}

export function createShares({ total, perCaller }: ShareLimits): Shares {
  const byCaller = new Map<string, number>()
  let taken = 0

  function add(caller: string | undefined, amount: number): void {
    taken += amount
    if (caller === undefined) return
    const own = (byCaller.get(caller) ?? 0) + amount
    if (own === 0) byCaller.delete(caller)
    else byCaller.set(caller, own)
  }

  return {
    acquire(caller, amount = 1) {
      if (caller !== undefined && (byCaller.get(caller) ?? 0) + amount > perCaller) return 'caller'
      if (taken + amount > total) return 'total'
      add(caller, amount)
      let isHeld = true
      return () => {
        if (isHeld) add(caller, -amount)
        isHeld = false
      }
    }
  }
}
