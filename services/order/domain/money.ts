/**
 * Returns an amount in minor units: with two decimals 12.3 → 1230. The result is exact although
 * `0.07 * 100` is 7.000000000000001. IEEE 754 rounds quotients correctly, so only the right
 * integer, divided by the scale, equals the given amount.
 * @throws RangeError if the amount is negative, has more than `decimals` decimals or is too large
 * to be exact
 */
export function toMinorUnits(amount: number, decimals: number): number {
  const scale = 10 ** decimals
  const minorUnits = Math.round(amount * scale)
  if (!(amount >= 0 && minorUnits / scale === amount && Number.isSafeInteger(minorUnits))) {
    throw new RangeError(`the amount must be 0 or more with at most ${decimals} decimals (got ${amount})`)
  }
  return minorUnits + 0 // converts -0 to 0
}

/** Returns an amount in major units, also exactly: 1230 → 12.3. */
export function toMajorUnits(minorUnits: number, decimals: number): number {
  return Number(`${minorUnits}e-${decimals}`)
}
