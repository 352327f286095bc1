import { setTimeout as delay } from 'node:timers/promises'
import { partitionKey } from '@orderly/kafka'
import { recoveryBoundMs } from '../checker/guarantees/recovers.ts'
import { countAudited, countVisible } from '../collect/audit.ts'
import type { KafkaLog, LogEnd } from '../collect/kafka-log.ts'
import { allTopics } from '../collect/topics.ts'
import { isVisible, withTransactions } from '../collect/transactions.ts'
import type { GroupDescription, Recovery } from '../history/history.ts'
import type { Machine } from './machine.ts'
import { withDatabase } from './servers.ts'

/** Consumer groups in the order of the data flow. */
export const groups: readonly GroupDescription[] = [
  { group: 'orders-created', inputs: ['orders.created', 'orders.changes'] },
  { group: 'order-rate', inputs: ['orders.created'] },
  {
    group: 'notifications',
    inputs: ['inventory.reserved', 'inventory.failed', 'inventory.confirmed', 'inventory.released']
  },
  {
    group: 'order-status',
    inputs: ['orders.created', 'inventory.reserved', 'inventory.failed', 'inventory.confirmed', 'inventory.released']
  }
]

const pollMs = 200
/** Multiple of the bound to wait for, which distinguishes slow recovery from none. */
const patience = 3

/**
 * Measures the time from now until everything that is pending now is processed: each group in turn
 * has reached the current end of its topics, and so has the last stable offset of every topic. No
 * fault may be active; orders may continue to arrive.
 */
export async function measureRecovery(
  log: KafkaLog,
  machine: Machine,
  kinds: readonly string[],
  signal: AbortSignal
): Promise<Recovery> {
  const healedAtMs = Date.now()
  const bound = () => machine.extend(recoveryBoundMs(kinds), healedAtMs)
  const isTooLate = machine.startBound(recoveryBoundMs(kinds) * patience)
  let missing = ''
  for (const { group, inputs } of groups) {
    const ends = await endsOf(log, inputs)
    for (;;) {
      signal.throwIfAborted()
      const waiting = await lagOf(log, group, ends)
      if (waiting === 0) break
      missing = `group ${group} has a lag of ${waiting} records`
      if (isTooLate()) return { healedAtMs, kinds, boundMs: bound(), missing }
      await delay(pollMs)
    }
  }
  const ends = await endsOf(log, allTopics)
  for (;;) {
    signal.throwIfAborted()
    const now = await endsOf(log, allTopics)
    const behind = [...ends].filter(
      ([name, { highWatermark }]) => (now.get(name)?.lastStableOffset ?? 0) < highWatermark
    )
    if (behind.length === 0) break
    missing = `the last stable offset is behind in ${behind.map(([name]) => name).join(', ')}`
    if (isTooLate()) return { healedAtMs, kinds, boundMs: bound(), missing }
    await delay(pollMs)
  }
  return { healedAtMs, kinds, boundMs: bound(), tookMs: Date.now() - healedAtMs }
}

/** Bounds of the waits at the end of a run. The machine extends them. */
const notifyBoundMs = 120_000
/** Covers the longest hold and repeated expiry requests. */
const holdsBoundMs = 30_000
const auditBoundMs = 60_000

export interface WaitOptions {
  readonly machine: Machine
  readonly databaseURL: string
  readonly signal: AbortSignal
}

/** Resolves when no delivery is pending. @throws Error after the bound */
export async function allNotified(options: WaitOptions): Promise<void> {
  const isDone = () => isEmpty(options, 'SELECT FROM notification.deliveries WHERE finished_at IS NULL LIMIT 1')
  await waitFor('the last notification', isDone, notifyBoundMs, options)
}

/** Resolves when every stock movement is published. @throws Error after the bound */
export async function allMovementsPublished(options: WaitOptions): Promise<void> {
  const isDone = () => isEmpty(options, 'SELECT FROM inventory.stock_movements WHERE NOT published LIMIT 1')
  await waitFor('the publication of the last stock movement', isDone, notifyBoundMs, options)
}

/**
 * Resolves when no hold is open, except those of users whose change requests are dead letters.
 * @throws Error after the bound
 */
export async function allHoldsEnded(blockedUsers: readonly string[], options: WaitOptions): Promise<void> {
  const isDone = () => isEmpty(options, 'SELECT FROM inventory.holds WHERE user_id <> ALL($1) LIMIT 1', [blockedUsers])
  await waitFor('the confirmation or release of the last hold', isDone, holdsBoundMs, options)
}

/** Resolves when the aggregator has published all its counts. @throws Error after the bound */
export async function allRatesPublished(options: WaitOptions): Promise<void> {
  const isDone = () => isEmpty(options, 'SELECT FROM aggregator.windows WHERE revision > published_revision LIMIT 1')
  await waitFor('the publication of the last orders per minute', isDone, notifyBoundMs, options)
}

/**
 * Resolves when every record has an audit row or a dead letter of the connector. Requires that no
 * service writes any more.
 * @throws Error after the bound
 */
export async function allAudited(log: KafkaLog, options: WaitOptions): Promise<void> {
  const expected = await countVisible(log)
  const isDone = async () => (await countAudited(options.databaseURL, log)) >= expected
  await waitFor(`the audit of all ${expected} records`, isDone, auditBoundMs, options)
}

async function isEmpty({ databaseURL }: WaitOptions, query: string, values: unknown[] = []): Promise<boolean> {
  return withDatabase(databaseURL, async client => (await client.query(query, values)).rows.length === 0)
}

/** Polls until `isDone` neither returns false nor rejects. @throws Error after the bound */
async function waitFor(
  what: string,
  isDone: () => Promise<boolean>,
  boundMs: number,
  { machine, signal }: WaitOptions
): Promise<void> {
  const isTooLate = machine.startBound(boundMs)
  let cause: unknown
  while (!isTooLate()) {
    signal.throwIfAborted()
    try {
      if (await isDone()) return
    } catch (error) {
      cause = error
    }
    await delay(pollMs, undefined, { signal })
  }
  throw new Error(`timed out waiting for ${what}`, { cause })
}

async function endsOf(log: KafkaLog, topics: readonly string[]): Promise<ReadonlyMap<string, LogEnd>> {
  const ends = new Map<string, LogEnd>()
  for (const topic of topics) {
    for (const end of await log.ends(topic)) ends.set(partitionKey({ topic, partition: end.partition }), end)
  }
  return ends
}

/**
 * Counts the records that a group has not processed. Markers and aborted records do not count,
 * since the group never commits past trailing ones.
 */
async function lagOf(log: KafkaLog, group: string, ends: ReadonlyMap<string, LogEnd>): Promise<number> {
  const committed = await log.committedOffsets(group)
  let waiting = 0
  for (const [name, { partition, highWatermark }] of ends) {
    const offset = committed.get(name) ?? 0
    if (offset >= highWatermark) continue
    const topic = name.slice(0, name.lastIndexOf('/'))
    const records = withTransactions(await log.read(topic, partition, offset, highWatermark))
    waiting += records.filter(
      record => record.offset >= offset && (isVisible(record) || record.transaction === 'open')
    ).length
  }
  return waiting
}
