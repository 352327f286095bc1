/** Returns the median. */
export function median(numbers: readonly number[]): number {
  return quantile(numbers, 0.5)
}

/**
 * Returns a quantile by linear interpolation (type 7 of Hyndman and Fan, the usual definition of a
 * percentile).
 */
export function quantile(numbers: readonly number[], fraction: number): number {
  const sorted = Float64Array.from(numbers).sort()
  return quantileOfSorted(sorted, fraction)
}

/** As `quantile`, but for numbers that are sorted already. */
export function quantileOfSorted(sorted: ArrayLike<number>, fraction: number): number {
  if (sorted.length === 0) return Number.NaN
  const position = (sorted.length - 1) * fraction
  const below = Math.floor(position)
  const lower = sorted[below] as number
  const upper = sorted[Math.min(below + 1, sorted.length - 1)] as number
  return lower + (upper - lower) * (position - below)
}

export interface Spread {
  readonly median: number
  readonly lowest: number
  readonly highest: number
}

export function spreadOf(numbers: readonly number[]): Spread {
  return { median: median(numbers), lowest: Math.min(...numbers), highest: Math.max(...numbers) }
}

/** Returns the spread of the ratios between the figures of two contestants in each round. */
export function ratiosByRound<Sample>(
  some: readonly Sample[],
  others: readonly Sample[],
  figure: (sample: Sample) => number
): Spread {
  return spreadOf(some.map((sample, round) => figure(sample) / figure(others[round] as Sample)))
}

/** Fits a straight line by least squares. @returns its slope and its value at 0 */
export function lineThrough(points: readonly (readonly [x: number, y: number])[]): { slope: number; at0: number } {
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / points.length
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / points.length
  let above = 0
  let below = 0
  for (const [x, y] of points) {
    above += (x - meanX) * (y - meanY)
    below += (x - meanX) ** 2
  }
  const slope = below === 0 ? 0 : above / below
  return { slope, at0: meanY - slope * meanX }
}
