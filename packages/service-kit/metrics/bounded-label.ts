const other = 'OTHER'

/**
 * For labels whose values others have a say in (the code of an error, the answer of an endpoint): the first values are kept, later
 * ones become `OTHER`, so that nobody can make series without end.
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
