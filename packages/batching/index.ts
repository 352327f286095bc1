export interface GroupOptions<Item> {
  /** Maximum size of a group; further items wait for the next one. */
  readonly maxItems?: number
  /**
   * Returns the name of an item. Items with the same name never share a group, because a statement
   * cannot update a row twice. Without it, any items share a group.
   */
  readonly nameOf?: (item: Item) => string
  /**
   * Minimum time between the starts of two groups; 0 by default. It makes groups larger under load
   * and adds at most this latency.
   */
  readonly minIntervalMs?: number
}

interface Waiting<Item, Result> {
  readonly item: Item
  readonly name: string | undefined
  readonly resolve: (result: Result) => void
  readonly reject: (error: unknown) => void
}

/**
 * Returns a function that combines concurrent calls with one item each into calls of `work` with
 * many items (group commit). A statement costs this process, Postgres and its disk about the same
 * for one row as for a hundred; the same is true of a request to a broker. Items that arrive while
 * a group is in flight are collected and form the next group.
 *
 * States: **idle** → an item arrives → **scheduled**, until the end of the current turn of the
 * event loop or of the interval → **in flight** → scheduled if items are waiting, otherwise idle.
 * So a single item never waits for others, and groups grow with the load.
 *
 * @param work returns a result for each item, in order; if it rejects, all items of the group
 * reject
 */
export function inGroups<Item, Result>(
  work: (items: readonly Item[]) => Promise<readonly Result[]>,
  { maxItems = 500, nameOf, minIntervalMs = 0 }: GroupOptions<Item> = {}
): (item: Item) => Promise<Result> {
  let waiting: Waiting<Item, Result>[] = []
  let isIdle = true
  let startedMs = Number.NEGATIVE_INFINITY

  /** Takes the first waiting item of each name. */
  function take(): Waiting<Item, Result>[] {
    if (nameOf === undefined) return waiting.splice(0, maxItems)
    const taken = new Map<string | undefined, Waiting<Item, Result>>()
    waiting = waiting.filter(entry => {
      if (taken.size === maxItems || taken.has(entry.name)) return true
      taken.set(entry.name, entry)
      return false
    })
    return [...taken.values()]
  }

  async function run(): Promise<void> {
    startedMs = performance.now()
    const group = take()
    try {
      const results = await work(group.map(({ item }) => item))
      for (const [index, { resolve }] of group.entries()) resolve(results[index] as Result)
    } catch (error) {
      for (const { reject } of group) reject(error)
    }
    if (waiting.length > 0) schedule()
    else isIdle = true
  }

  function schedule(): void {
    isIdle = false
    const waitMs = startedMs + minIntervalMs - performance.now()
    if (waitMs > 0) setTimeout(() => void run(), Math.ceil(waitMs))
    else setImmediate(() => void run())
  }

  return item =>
    new Promise((resolve, reject) => {
      waiting.push({ item, name: nameOf?.(item), resolve, reject })
      if (isIdle) schedule()
    })
}
