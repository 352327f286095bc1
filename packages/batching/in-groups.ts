export interface GroupOptions<Item> {
  /** More than so many wait for the next group. */
  readonly maxItems?: number
  /** Items of the same name never share a group: a statement cannot touch a row twice, nor a request a partition. */
  readonly nameOf: (item: Item) => string
  /** From the start of a group to that of the next at least; none unless said. Under load it makes groups larger, by up to that much latency. */
  readonly minIntervalMs?: number
}

interface Waiting<Item, Result> {
  readonly item: Item
  readonly name: string
  readonly resolve: (result: Result) => void
  readonly reject: (error: unknown) => void
}

/**
 * Group commit: makes of calls with one item each calls with many. A statement costs this process, Postgres and its disk about the same whether it
 * is about one row or about a hundred, and so does a request a broker; so while one is under way those that come are collected, and go together
 * when it is over.
 *
 * States: **idle** → an item comes → **leaving**, at the end of this turn of the event loop or when the interval is over, with whatever came
 * until then → **under way** → leaving, if any have come meanwhile, or idle. So a lone item never waits for company, and the more come
 * the larger the groups are.
 *
 * @param work gives a result for each item, in their sequence; what it fails with, all items of the group fail with
 */
export function inGroups<Item, Result>(
  work: (items: readonly Item[]) => Promise<readonly Result[]>,
  { maxItems = 500, nameOf, minIntervalMs = 0 }: GroupOptions<Item>
): (item: Item) => Promise<Result> {
  let waiting: Waiting<Item, Result>[] = []
  let isIdle = true
  let leftMs = Number.NEGATIVE_INFINITY

  /** The first of each name. */
  function take(): Waiting<Item, Result>[] {
    const taken = new Map<string, Waiting<Item, Result>>()
    waiting = waiting.filter(one => {
      if (taken.size === maxItems || taken.has(one.name)) return true
      taken.set(one.name, one)
      return false
    })
    return [...taken.values()]
  }

  async function run(): Promise<void> {
    leftMs = performance.now()
    const group = take()
    try {
      const results = await work(group.map(({ item }) => item))
      for (const [index, { resolve }] of group.entries()) resolve(results[index] as Result)
    } catch (error) {
      for (const { reject } of group) reject(error)
    }
    if (waiting.length > 0) leave()
    else isIdle = true
  }

  function leave(): void {
    isIdle = false
    const waitMs = leftMs + minIntervalMs - performance.now()
    if (waitMs > 0) setTimeout(() => void run(), Math.ceil(waitMs))
    else setImmediate(() => void run())
  }

  return item =>
    new Promise((resolve, reject) => {
      waiting.push({ item, name: nameOf(item), resolve, reject })
      if (isIdle) leave()
    })
}
