const other = 'OTHER'

/**
 * Returns a function that bounds the number of values of a label. The first `maxValues` values are
 * kept; later ones become `OTHER`. For labels whose values come from outside (an error code, the
 * response of an endpoint), which could otherwise create an unlimited number of time series.
 */
export function boundedLabel(maxValues = 50): (value: string) => string {
  const known = new Set<string>()
  return value => {
    if (known.has(value)) return value
    if (known.size >= maxValues) return other
    known.add(value)
    return value
  }
}
