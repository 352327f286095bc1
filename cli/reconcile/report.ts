import { formatTime, plural } from '@orderly/command-line'
import type { Output } from '../command-line/output.ts'
import type { StockDifference } from './statements.ts'

/** The number of items, and the first of them. */
export interface Listed<Item> {
  readonly count: number
  readonly first: readonly Item[]
}

const mostListed = 20

export class List<Item> implements Listed<Item> {
  count = 0
  readonly first: Item[] = []

  add(items: readonly Item[]): void {
    this.count += items.length
    this.first.push(...items.slice(0, mostListed - this.first.length))
  }
}

export interface UnexplainedRecord {
  readonly orderID: string
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

export interface Report {
  readonly isApplied: boolean
  /** Newest time in the restored tables; undefined if they are empty. */
  readonly restoredToMs: number | undefined
  /** Number of missing rows by kind. */
  readonly added: Readonly<Record<string, number>>
  readonly stock: Listed<StockDifference>
  /** Data that cannot be rebuilt. */
  readonly lost: {
    /** Decided orders whose outcome is neither in the topics nor in the tables. */
    readonly outcomes: Listed<UnexplainedRecord>
    /** Releases and confirmations of orders without a reserved outcome. */
    readonly settlements: Listed<string>
    /** Records that cannot be read. */
    readonly unreadable: Listed<string>
    /** SKUs with more reserved pieces than movements have added: a movement was never published. */
    readonly movements: Listed<StockDifference>
  }
  /** Rows that differ between tables and topics; the tables are unchanged. */
  readonly contradictions: {
    readonly outcomes: Listed<string>
    readonly adjustments: Listed<string>
    readonly movements: Listed<{ readonly sku: string; readonly movementID: string; readonly missing: number }>
  }
  readonly keys: {
    /** Keys that were created or revoked after the backup. */
    readonly changed: readonly {
      readonly id: string
      readonly name: string
      readonly what: string
      readonly atMs: number
    }[]
    /** Callers that placed orders after the backup and have no valid key in the restored tables. */
    readonly callersWithoutKey: readonly string[]
    /** Valid keys, including those that were revoked after the backup. */
    readonly valid: readonly { readonly id: string; readonly name: string }[]
  }
}

/** Returns true if something requires a decision of the operator. */
export function isUnresolved({ lost, contradictions, keys }: Report): boolean {
  const lists = [...Object.values(lost), ...Object.values(contradictions)]
  return lists.some(({ count }) => count > 0) || keys.changed.length > 0 || keys.callersWithoutKey.length > 0
}

export function printReport(output: Output, report: Report): void {
  const { isApplied, restoredToMs, added, stock, lost, contradictions, keys } = report
  const rows = Object.entries(added).filter(([, count]) => count > 0)
  output.line(restoredToMs === undefined ? 'The tables are empty.' : `Restored to about ${formatTime(restoredToMs)}.`)
  output.line(
    rows.length === 0
      ? 'Nothing is missing in the tables.'
      : `${isApplied ? 'Added' : 'Missing'}: ${rows.map(([what, count]) => plural(count, what)).join(', ')}.`
  )
  if (stock.count > 0) {
    output.line(`Stock of ${plural(stock.count, 'SKU')} ${isApplied ? 'was' : 'would be'} corrected:`)
    output.table(
      [
        { title: 'SKU', value: ({ sku }) => sku },
        { title: 'AVAILABLE', value: ({ availableBefore }) => availableBefore, isNumber: true },
        { title: 'RESERVED', value: ({ reservedBefore }) => reservedBefore, isNumber: true },
        { title: 'AVAILABLE NOW', value: ({ available }) => Math.max(0, available), isNumber: true },
        { title: 'RESERVED NOW', value: ({ reserved }) => reserved, isNumber: true }
      ],
      stock.first
    )
  }

  const tell = <Item>(listed: Listed<Item>, text: (count: number) => string, name: (item: Item) => string) => {
    if (listed.count === 0) return
    output.line(text(listed.count))
    for (const item of listed.first) output.line(`  ${name(item)}`)
    if (listed.count > listed.first.length) output.line(`  and ${listed.count - listed.first.length} more`)
  }
  tell(
    lost.outcomes,
    count =>
      `Cannot be rebuilt: outcomes of ${plural(count, 'order')}, which retention has removed. Their reserved pieces count as available: count the shelf for their SKUs.`,
    ({ orderID, topic, partition, offset }) => `${orderID}  ${topic} ${partition}/${offset}`
  )
  tell(
    lost.settlements,
    count =>
      `Cannot be rebuilt: the reservations of ${plural(count, 'order')} released or confirmed later, which retention has removed.`,
    orderID => orderID
  )
  tell(
    lost.unreadable,
    count => `Cannot be read: ${plural(count, 'record')}.`,
    position => position
  )
  tell(
    lost.movements,
    count =>
      `Orders have reserved more of ${plural(count, 'SKU')} than movements have added: a movement was not published before the loss. None is available now: count the shelf.`,
    ({ sku, available }) => `${sku}  ${-available} missing`
  )
  tell(
    contradictions.outcomes,
    count =>
      `The topics and the tables have different outcomes of ${plural(count, 'order')}: the inventory ran after the restore. The tables are unchanged.`,
    orderID => orderID
  )
  tell(
    contradictions.adjustments,
    count =>
      `${plural(count, 'adjustment')} took effect twice, because the key was used again after the restore: count the shelf.`,
    movementID => movementID
  )
  tell(
    contradictions.movements,
    count =>
      `The level after ${plural(count, 'movement')} differs from the sum of the preceding movements: a movement is missing. Count the shelf.`,
    ({ sku, movementID, missing }) => `${sku}  ${missing} missing before ${movementID}`
  )
  for (const { id, name, what, atMs } of keys.changed)
    output.line(
      `API key ${id} of ${name} was ${what} ${formatTime(atMs)}, after the backup: check that this is intended.`
    )
  for (const name of keys.callersWithoutKey)
    output.line(`${name} placed orders after the backup and has no valid API key: create one.`)
  if (keys.valid.length > 0) {
    const names = keys.valid.map(({ id, name }) => `${name} (${id})`).join(', ')
    output.line(
      `API keys that were revoked after the backup are valid again. Revoke them again if they are among: ${names}.`
    )
  }
  output.line(
    'Not rebuilt: idempotency keys of orders that were placed after the backup. A client that repeats such a request places a second order.'
  )
}
