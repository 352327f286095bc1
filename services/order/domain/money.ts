/**
 * An amount as a whole number of minor units: with two decimals 12.3 → 1230. Exact, though 0.07 * 100 is 7.000000000000001: of the whole
 * numbers only the right one, divided again, is the number that was written, as IEEE 754 rounds a quotient correctly.
 * @throws RangeError unless the amount is from 0 on, has so many decimals at most and fits exactly
 */
export function toMinorUnits(amount: number, decimals: number): number {
  const scale = 10 ** decimals
  const minorUnits = Math.round(amount * scale)
  if (!(amount >= 0 && minorUnits / scale === amount && Number.isSafeInteger(minorUnits))) {
    throw new RangeError(`${amount} is not an amount with at most ${decimals} decimals`)
  }
  return minorUnits + 0 // of -0, too
}

/** The way back, just as exact: 1230 → 12.3. */
export function toMajorUnits(minorUnits: number, decimals: number): number {
  return Number(`${minorUnits}e-${decimals}`)
}
