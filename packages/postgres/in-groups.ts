export interface GroupOptions<Item> {
  /** More than so many wait for the next group. */
  readonly maxItems?: number
  /** Items of the same name never share a group: a statement cannot touch a row twice. */
  readonly nameOf: (item: Item) => string
}

interface Waiting<Item, Result> {
  readonly item: Item
  readonly name: string
  readonly resolve: (result: Result) => void
  readonly reject: (error: unknown) => void
}

/**
 * Group commit: makes of calls with one item each calls with many. A statement costs this process, Postgres and its disk about the same whether it
 * is about one row or about a hundred, so while one is under way those that come are collected, and go together when it is over.
 *
 * States: **idle** → an item comes → **leaving**, at the end of this turn of the event loop, with whatever came in it → **under way**
 * → leaving, if any have come meanwhile, or idle. So a lone item never waits for company, and the more come the larger the groups are.
 *
 * @param work gives a result for each item, in their sequence; what it fails with, all items of the group fail with
 */
export function inGroups<Item, Result>(
  work: (items: readonly Item[]) => Promise<readonly Result[]>,
  { maxItems = 500, nameOf }: GroupOptions<Item>
): (item: Item) => Promise<Result> {
  let waiting: Waiting<Item, Result>[] = []
  let isIdle = true

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
    setImmediate(() => void run())
  }

  return item =>
    new Promise((resolve, reject) => {
      waiting.push({ item, name: nameOf(item), resolve, reject })
      if (isIdle) leave()
    })
}
