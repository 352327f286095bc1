/**
 * An amount as a whole number of minor units: with two decimals 12.3 → 1230. Read from the shortest decimal text that means
 * this number, which is what the caller wrote: 0.07 * 100 is 7.000000000000001.
 * @throws RangeError unless the amount is from 0 on, has so many decimals at most and fits exactly
 */
export function toMinorUnits(amount: number, decimals: number): number {
  const match = /^(\d+)(?:\.(\d+))?$/.exec(String(amount))
  const fraction = match?.[2] ?? ''
  const minorUnits =
    match === null || fraction.length > decimals ? Number.NaN : Number(`${match[1]}${fraction.padEnd(decimals, '0')}`)
  if (!Number.isSafeInteger(minorUnits)) {
    throw new RangeError(`${amount} is not an amount with at most ${decimals} decimals`)
  }
  return minorUnits
}

/** The way back, just as exact: 1230 → 12.3. */
export function toMajorUnits(minorUnits: number, decimals: number): number {
  return Number(`${minorUnits}e-${decimals}`)
}
