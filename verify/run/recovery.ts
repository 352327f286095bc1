import { setTimeout as delay } from 'node:timers/promises'
import { waitUntil } from '@orderly/stack'
import { countAudited, countVisible } from '../dump/audit.ts'
import type { KafkaLog, LogEnd } from '../dump/kafka-log.ts'
import { allTopics } from '../dump/topics.ts'
import { isVisible, withTransactions } from '../dump/transactions.ts'
import type { GroupDescription, Recovery } from '../history/history.ts'
import { withDatabase } from './servers.ts'

/** In the order in which orders pass them. */
export const groups: readonly GroupDescription[] = [
  { group: 'orders-created', inputs: ['orders.created', 'orders.changes'] },
  { group: 'order-rate', inputs: ['orders.created'] },
  {
    group: 'notifications',
    inputs: ['inventory.reserved', 'inventory.failed', 'inventory.confirmed', 'inventory.released']
  }
]

const pollMs = 200
const serviceBoundMs = 15_000
const serverBoundMs = 20_000
/** Waiting goes on for so much longer than the bound, to tell what is slow from what is stuck. */
const patience = 3

export function boundFor(kinds: readonly string[]): number {
  return kinds.some(kind => /broker|postgres|>/.test(kind)) ? serverBoundMs : serviceBoundMs
}

/**
 * Measures from now on, when nothing disturbs the pipeline any more, until everything that is waiting now is done: group after
 * group has read what was in its topics, and readers of every topic can see up to where it ended. Orders may go on coming.
 */
export async function measureRecovery(log: KafkaLog, kinds: readonly string[], signal: AbortSignal): Promise<Recovery> {
  const healedAtMs = Date.now()
  const boundMs = boundFor(kinds)
  const untilMs = healedAtMs + boundMs * patience
  let missing = ''
  for (const { group, inputs } of groups) {
    const ends = await endsOf(log, inputs)
    for (;;) {
      signal.throwIfAborted()
      const waiting = await lagOf(log, group, ends)
      if (waiting === 0) break
      missing = `group ${group} has ${waiting} records to go`
      if (Date.now() > untilMs) return { healedAtMs, kinds, boundMs, missing }
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
    missing = `readers are held up in ${behind.map(([name]) => name).join(', ')}`
    if (Date.now() > untilMs) return { healedAtMs, kinds, boundMs, missing }
    await delay(pollMs)
  }
  return { healedAtMs, kinds, boundMs, tookMs: Date.now() - healedAtMs }
}

const notifyDeadlineMs = 120_000
/** As the longest hold lasts, and what is asked for is asked again. */
const holdsDeadlineMs = 30_000

/** Resolves when the notification service has nothing left to send. @throws Error when it still has after a while */
export async function allNotified(databaseURL: string, signal: AbortSignal): Promise<void> {
  const isDone = () =>
    withDatabase(databaseURL, async client => {
      const { rows } = await client.query('SELECT FROM notification.deliveries WHERE settled_at IS NULL LIMIT 1')
      return rows.length === 0
    })
  await waitUntil(isDone, { what: 'the last notification being sent', deadlineMs: notifyDeadlineMs, signal })
}

/**
 * Resolves when every hold is confirmed or has expired, but for those of users whose changes are parked.
 * @throws Error when one still is open long after the last has ended
 */
export async function allHoldsSettled(
  databaseURL: string,
  parkedUsers: readonly string[],
  signal: AbortSignal
): Promise<void> {
  const isDone = () =>
    withDatabase(databaseURL, async client => {
      const { rows } = await client.query('SELECT FROM inventory.holds WHERE user_id <> ALL($1) LIMIT 1', [parkedUsers])
      return rows.length === 0
    })
  await waitUntil(isDone, { what: 'the last hold being settled', deadlineMs: holdsDeadlineMs, signal })
}

/** Resolves when the aggregator has published what it has counted. @throws Error when it still has not after a while */
export async function allRatesPublished(databaseURL: string, signal: AbortSignal): Promise<void> {
  const isDone = () =>
    withDatabase(databaseURL, async client => {
      const { rows } = await client.query('SELECT FROM aggregator.windows WHERE revision > published_revision LIMIT 1')
      return rows.length === 0
    })
  await waitUntil(isDone, { what: 'the last orders per minute being published', deadlineMs: notifyDeadlineMs, signal })
}

const auditDeadlineMs = 60_000

/** Resolves when every record is a row or set aside. Nothing may write any more. @throws Error when it is not after a while */
export async function allAudited(log: KafkaLog, databaseURL: string, signal: AbortSignal): Promise<void> {
  const expected = await countVisible(log)
  const isDone = async () => (await countAudited(databaseURL, log)) >= expected
  await waitUntil(isDone, {
    what: `all ${expected} records being audited`,
    deadlineMs: auditDeadlineMs,
    signal,
    intervalMs: 500
  })
}

async function endsOf(log: KafkaLog, topics: readonly string[]): Promise<ReadonlyMap<string, LogEnd>> {
  const ends = new Map<string, LogEnd>()
  for (const topic of topics) for (const end of await log.ends(topic)) ends.set(`${topic}/${end.partition}`, end)
  return ends
}

/** Records that a group has yet to read. Markers and aborted records behind its position do not count: there is no way past them. */
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
