/**
 * Finds a small part of a plan that still fails, by delta debugging (Zeller and Hildebrandt,
 * "Simplifying and Isolating Failure-Inducing Input", 2002). A run is not deterministic, so a part
 * counts as failing if one of its runs does, and the number of runs is limited.
 */
export interface ShrinkOptions<Item> {
  /** Runs a part of the plan. */
  readonly fails: (part: readonly Item[]) => Promise<boolean>
  readonly mostRuns: number
}

/** Returns the smallest part that failed; undefined if not even the whole plan failed again. */
export async function shrink<Item>(
  plan: readonly Item[],
  { fails, mostRuns }: ShrinkOptions<Item>
): Promise<readonly Item[] | undefined> {
  let runs = 0
  const failsAgain = async (part: readonly Item[]) => runs++ < mostRuns && (await fails(part))
  if (!(await failsAgain(plan))) return undefined
  let smallest = plan
  let pieces = 2
  while (smallest.length > 1 && runs < mostRuns) {
    const smaller = await findSmaller(smallest, pieces, failsAgain)
    if (smaller !== undefined) {
      smallest = smaller
      pieces = Math.max(2, Math.min(pieces, smallest.length))
    } else if (pieces >= smallest.length) return smallest
    else pieces = Math.min(smallest.length, pieces * 2)
  }
  return smallest
}

/** Tries each piece, then the plan without each piece. */
async function findSmaller<Item>(
  plan: readonly Item[],
  pieces: number,
  fails: (part: readonly Item[]) => Promise<boolean>
): Promise<readonly Item[] | undefined> {
  const size = Math.ceil(plan.length / pieces)
  const starts = Array.from({ length: Math.ceil(plan.length / size) }, (_, index) => index * size)
  const parts = starts.map(start => plan.slice(start, start + size))
  const complements = starts.map(start => [...plan.slice(0, start), ...plan.slice(start + size)])
  for (const part of starts.length > 2 ? [...parts, ...complements] : parts) if (await fails(part)) return part
  return undefined
}
