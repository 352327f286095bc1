import { topicNames } from '@orderly/contracts'
import type { History, RecordedRecord } from '../../history/history.ts'
import type { ListRead, StatusRead, StatusReads, StreamRead } from '../../history/status-reads.ts'
import { createRandom } from '../../plan/random.ts'
import { isVisible } from '../evidence.ts'

interface Step {
  readonly id: string
  readonly status: string
  readonly atMs: number
}

/** Returns the status that the event of a record gives to its order; undefined for other topics. */
function statusOf({ topic, event }: RecordedRecord): string | undefined {
  switch (topic) {
    case topicNames.ordersCreated:
      return 'accepted'
    case topicNames.inventoryReserved:
      return 'reserved'
    case topicNames.inventoryFailed:
      return event?.reason === 'CANCELLED' ? 'cancelled' : 'failed'
    case topicNames.inventoryConfirmed:
      return 'confirmed'
    case topicNames.inventoryReleased:
      return event?.cause === 'expired' ? 'expired' : 'cancelled'
    default:
      return undefined
  }
}

/** Time from an event until clients see it. */
const staleMs = 10

/**
 * Adds what clients of a correct order service see: requests that answer 404 until the order is
 * projected, streams that are resumed, lists of several pages, and the lists at the end.
 */
export function withStatus(history: History): History {
  const random = createRandom(history.seed, 'status')
  const timelines = new Map<string, Step[]>()
  const userOf = new Map<string, string>()
  for (const record of history.records.filter(isVisible).toSorted((a, b) => a.timestampMs - b.timestampMs)) {
    const [status, orderID] = [statusOf(record), record.event?.orderID]
    if (status === undefined || orderID === undefined) continue
    userOf.set(orderID, record.event?.userID ?? '')
    const steps = timelines.get(orderID) ?? []
    steps.push({ id: record.headers['event-id'] ?? '', status, atMs: record.timestampMs + staleMs })
    timelines.set(orderID, steps)
  }
  const shownAt = (orderID: string, atMs: number) => timelines.get(orderID)?.findLast(step => step.atMs <= atMs)?.status

  const reads: StatusRead[] = []
  const streams: StreamRead[] = []
  for (const [orderID, steps] of timelines) {
    const [firstAtMs, lastAtMs] = [steps[0]?.atMs ?? 0, steps.at(-1)?.atMs ?? 0]
    for (let count = random.integer(0, 6); count > 0; count--) {
      const shownAtMs = random.integer(firstAtMs - 20, lastAtMs + 20)
      const status = shownAt(orderID, shownAtMs)
      reads.push({
        orderID,
        sentAtMs: shownAtMs - random.integer(0, 5),
        endedAtMs: shownAtMs + random.integer(0, 5),
        result: status === undefined ? { kind: 'missing' } : { kind: 'found', status }
      })
    }
    const count = random.integer(0, steps.length)
    const isOver = count === steps.length && ['failed', 'cancelled', 'expired'].includes(steps.at(-1)?.status ?? '')
    if (random.chance(0.3)) {
      streams.push({
        orderID,
        until: 'final',
        events: steps.slice(0, count).map(step => ({ ...step, atMs: step.atMs + 5 })),
        connections: 2,
        failures: [],
        ...(isOver && { overAtMs: lastAtMs + 50 })
      })
    }
  }
  const lists: ListRead[] = []
  const list = (userID: string, atMs: number, pageSize: number): ListRead => {
    const pages: ListRead['pages'][number][] = []
    const all = [...timelines.keys()]
      .filter(orderID => userOf.get(orderID) === userID)
      .toSorted()
      .toReversed()
    const known = all.filter(orderID => shownAt(orderID, atMs) !== undefined)
    for (let start = 0; start === 0 || start < known.length; start += pageSize) {
      const shownAtMs = atMs + start
      const orders = known.slice(start, start + pageSize).map(orderID => {
        return { orderID, status: shownAt(orderID, shownAtMs) ?? '' }
      })
      pages.push({ sentAtMs: shownAtMs, endedAtMs: shownAtMs + 1, orders })
    }
    return { userID, pages, isComplete: true }
  }
  for (const userID of new Set(userOf.values())) {
    const atMs = history.startedAtMs + random.integer(0, 3_000)
    lists.push(list(userID, atMs, random.integer(1, 10)))
    lists.push({ ...list(userID, history.endedAtMs, 100), isFinal: true })
  }
  return { ...history, statusReads: { reads, lists, streams } }
}

export function changingStatus(history: History, change: (seen: StatusReads) => Partial<StatusReads>): History {
  const seen = history.statusReads as StatusReads
  return { ...history, statusReads: { ...seen, ...change(seen) } }
}
