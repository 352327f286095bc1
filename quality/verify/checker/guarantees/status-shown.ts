import type { RecordedRecord } from '../../history/history.ts'
import type { ListRead, StreamRead } from '../../history/status-reads.ts'
import { type Evidence, outcomeTopics, positionKey, settlementTopics } from '../evidence.ts'
import type { Finding, Guarantee } from '../guarantee.ts'

/**
 * A **sighting** is an answer that showed a status of an order. All answers are compared, whichever
 * instance gave them: if a sighting ended before a request was sent, the answer to the request must
 * show the same status or one that can follow it. The topics determine which statuses an order has;
 * records that the projection of the order service wrote as dead letters do not count.
 */
export const statusShown: Guarantee = {
  number: 17,
  promise:
    'The status that clients see follows the state table, never goes back or disappears, and ends as in the topics: in requests, waits, lists and streams of every instance.',
  appliesTo: ({ statusReads }) => statusReads !== undefined,
  check(evidence) {
    const { reads, lists, streams } = evidence.history.statusReads ?? { reads: [], lists: [], streams: [] }
    const timelines = createTimelines(evidence)
    const sightings = Map.groupBy(sightingsIn(evidence), ({ orderID }) => orderID)
    const missing = Map.groupBy(
      reads.filter(({ result }) => result.kind === 'missing'),
      ({ orderID }) => orderID
    )
    return [
      ...checkWaits(evidence),
      ...[...sightings].flatMap(([orderID, own]) => checkOrder(orderID, own, timelines)),
      ...[...missing].flatMap(([orderID, own]) => checkMissing(orderID, own, sightings.get(orderID) ?? [])),
      ...streams.flatMap(stream => checkStream(stream, timelines(stream.orderID))),
      ...lists.flatMap(list => checkList(list, sightings, evidence)),
      ...lists.filter(({ isFinal }) => isFinal).flatMap(list => checkFinal(list, timelines, evidence))
    ]
  }
}

/** Statuses that can follow each status, directly or later. */
const later: Readonly<Record<string, readonly string[]>> = {
  accepted: ['reserved', 'failed', 'cancelled', 'confirmed', 'expired'],
  reserved: ['confirmed', 'cancelled', 'expired'],
  confirmed: ['cancelled'],
  failed: [],
  cancelled: [],
  expired: []
}
const finalStatuses = ['failed', 'cancelled', 'expired']

const canFollow = (before: string, after: string): boolean => before === after || (later[before] ?? []).includes(after)

interface Sighting {
  readonly orderID: string
  readonly status: string
  readonly by: string
  /** Time of the request; absent for an event of a stream, which may show an earlier status. */
  readonly sentAtMs?: number
  readonly endedAtMs: number
}

function* sightingsIn({ history }: Evidence): Generator<Sighting> {
  const { reads, lists, streams } = history.statusReads ?? { reads: [], lists: [], streams: [] }
  for (const { orderID, sentAtMs, endedAtMs, result } of reads)
    if (result.kind === 'found') yield { orderID, sentAtMs, endedAtMs, status: result.status, by: 'a request' }
  for (const { sentAtMs, endedAtMs, result } of history.requests)
    if (result.kind === 'ok' && result.status !== undefined)
      yield { orderID: result.orderID, sentAtMs, endedAtMs, status: result.status, by: 'a waiting order' }
  for (const { orderID, sentAtMs, endedAtMs, result } of history.changeRequests)
    if (result.kind === 'fulfilled' && result.status !== undefined)
      yield { orderID, sentAtMs, endedAtMs, status: result.status, by: 'a change request' }
  for (const { pages } of lists)
    for (const { sentAtMs, endedAtMs, orders } of pages)
      for (const { orderID, status } of orders) yield { orderID, sentAtMs, endedAtMs, status, by: 'a list' }
  for (const { orderID, events } of streams)
    for (const { status, atMs } of events) yield { orderID, endedAtMs: atMs, status, by: 'a stream' }
}

/** A status change of an order according to the topics. */
interface Step {
  readonly id: string
  readonly status: string
  readonly record: RecordedRecord
}

/** Returns a function that returns the status changes of an order according to the topics, in order. */
function createTimelines(evidence: Evidence): (orderID: string) => readonly Step[] {
  const skipped = new Set(
    evidence.deadLetters.filter(({ stage }) => stage === 'order-status').map(({ origin }) => origin)
  )
  const { ordersByID, outcomesByID, settlementsByID } = evidence
  return orderID => {
    const records = [ordersByID, outcomesByID, settlementsByID].flatMap(byID => byID.get(orderID) ?? [])
    const steps = records
      .filter(record => !skipped.has(positionKey(record)))
      .map(record => ({ id: record.headers['event-id'] ?? '', status: statusIn(record), record }))
    // Without its acceptance an order is not shown, and without its outcome no settlement is.
    if (steps[0]?.status !== 'accepted') return []
    const hasOutcome = steps.some(({ record }) => record.topic in outcomeTopics)
    const rank = ({ record }: Step) => (settlementTopics[record.topic] === 'released' ? 1 : 0)
    return (hasOutcome ? steps : steps.slice(0, 1)).toSorted((a, b) => rank(a) - rank(b))
  }
}

function statusIn({ topic, event }: RecordedRecord): string {
  if (topic in outcomeTopics) {
    if (outcomeTopics[topic] === 'reserved') return 'reserved'
    return event?.reason === 'CANCELLED' ? 'cancelled' : 'failed'
  }
  if (settlementTopics[topic] === 'confirmed') return 'confirmed'
  if (settlementTopics[topic] === 'released') return event?.cause === 'expired' ? 'expired' : 'cancelled'
  return 'accepted'
}

/** Checks that an answer to a waiting order has an outcome. */
function checkWaits({ history }: Evidence): Finding[] {
  return history.requests.flatMap(({ id, endedAtMs, result }) => {
    if (result.kind !== 'ok' || result.status !== 'accepted') return []
    const summary = 'a waiting order was answered 200 without an outcome'
    return [{ orderID: result.orderID, requestID: id, atMs: endedAtMs, summary }]
  })
}

function checkOrder(
  orderID: string,
  sightings: readonly Sighting[],
  timelines: (orderID: string) => readonly Step[]
): Finding[] {
  const steps = timelines(orderID)
  const strange = sightings.find(({ status }) => !steps.some(step => step.status === status))
  if (strange !== undefined) {
    const known = steps.map(({ status }) => status).join(', ') || 'no record'
    const summary = `${strange.by} showed ${strange.status}, but the topics have ${known}`
    return [{ orderID, atMs: strange.endedAtMs, records: steps.map(({ record }) => record), summary }]
  }
  const early = sightings.find(({ status, endedAtMs }) =>
    steps.every(step => step.status !== status || (step.record.committedAtMs ?? 0) > endedAtMs)
  )
  if (early !== undefined) {
    const summary = `${early.by} showed ${early.status} before the transaction of its event was committed`
    return [{ orderID, atMs: early.endedAtMs, records: steps.map(({ record }) => record), summary }]
  }
  // The earliest sighting of a status contradicts whatever a later one contradicts.
  const earliest = new Map<string, Sighting>()
  for (const sighting of sightings) {
    const before = earliest.get(sighting.status)
    if (before === undefined || sighting.endedAtMs < before.endedAtMs) earliest.set(sighting.status, sighting)
  }
  for (const sighting of sightings) {
    for (const before of earliest.values()) {
      const isOpposed = !canFollow(before.status, sighting.status) && !canFollow(sighting.status, before.status)
      const isLater = sighting.sentAtMs !== undefined && before.endedAtMs < sighting.sentAtMs
      if (!isOpposed && !(isLater && !canFollow(before.status, sighting.status))) continue
      const summary = `${before.by} showed ${before.status}, and ${isLater ? 'later ' : ''}${sighting.by} ${sighting.status}`
      return [{ orderID, atMs: sighting.endedAtMs, summary }]
    }
  }
  return []
}

function checkMissing(
  orderID: string,
  missing: readonly { readonly sentAtMs: number; readonly endedAtMs: number }[],
  sightings: readonly Sighting[]
): Finding[] {
  const first = sightings.toSorted((a, b) => a.endedAtMs - b.endedAtMs)[0]
  const gone = first && missing.find(({ sentAtMs }) => first.endedAtMs < sentAtMs)
  if (gone === undefined) return []
  return [{ orderID, atMs: gone.endedAtMs, summary: `answered 404 after ${first?.by} had shown ${first?.status}` }]
}

/**
 * Checks that all connections of a stream together show each change once, in order. If the release
 * is projected before the confirmation that precedes it, the confirmation is never shown.
 */
function checkStream({ orderID, until, events, overAtMs }: StreamRead, steps: readonly Step[]): Finding[] {
  const isReleased = events.some(({ status }) => status === 'cancelled' || status === 'expired')
  const hasConfirmed = events.some(({ status }) => status === 'confirmed')
  const expected = isReleased && !hasConfirmed ? steps.filter(({ status }) => status !== 'confirmed') : steps
  const shown = events.map(({ status }) => status).join(', ') || 'nothing'
  const about = { orderID, atMs: overAtMs ?? events.at(-1)?.atMs, records: steps.map(({ record }) => record) }
  const wrong = events.findIndex(({ id, status }, index) => {
    const step = expected[index]
    return step?.id !== id || step.status !== status
  })
  if (wrong >= 0) {
    const summary = `the stream showed ${shown}; number ${wrong + 1} (${events[wrong]?.id}) is ${expected[wrong]?.id ?? 'nothing'} in the topics`
    return [{ ...about, summary }]
  }
  if (overAtMs === undefined) return []
  const last = events.at(-1)?.status ?? ''
  const isHeld = (steps[1]?.record.event?.holdUntilMs ?? null) !== null
  const isSettled = last !== 'accepted' && last !== '' && !(last === 'reserved' && isHeld)
  const isOver = until === 'final' ? finalStatuses.includes(last) : isSettled
  return isOver ? [] : [{ ...about, summary: `the stream until ${until} ended after ${shown}` }]
}

/** Checks that a list is sorted, without duplicates, and has every order of the user seen before. */
function checkList(
  { userID, pages, isComplete }: ListRead,
  sightings: ReadonlyMap<string, readonly Sighting[]>,
  { ordersByID }: Evidence
): Finding[] {
  const [first] = pages
  if (first === undefined) return []
  const shown = pages.flatMap(({ orders }) => orders.map(({ orderID }) => orderID))
  const about = { userID, atMs: first.sentAtMs }
  const unsorted = shown.findIndex((orderID, index) => index > 0 && orderID >= (shown[index - 1] ?? ''))
  if (unsorted >= 0) {
    const summary = `the list of ${userID} has ${shown[unsorted]} after ${shown[unsorted - 1]}`
    return [{ ...about, orderID: shown[unsorted], summary }]
  }
  const ofOther = shown.find(orderID => ordersByID.get(orderID)?.[0]?.event?.userID !== userID)
  if (ofOther !== undefined)
    return [{ ...about, orderID: ofOther, summary: `the list of ${userID} has an order that is not of this user` }]
  const listed = new Set(shown)
  const readDownTo = isComplete ? '' : (shown.at(-1) ?? '\uffff')
  for (const [orderID, own] of sightings) {
    if (orderID < readDownTo || listed.has(orderID)) continue
    if (ordersByID.get(orderID)?.[0]?.event?.userID !== userID) continue
    const before = own.find(({ endedAtMs }) => endedAtMs < first.sentAtMs)
    if (before === undefined) continue
    return [{ ...about, orderID, summary: `the list of ${userID} lacks an order that ${before.by} had shown before` }]
  }
  return []
}

/** Checks that a list at the end has every order of the user with its last status. */
function checkFinal(
  { userID, pages, isComplete, failure }: ListRead,
  timelines: (orderID: string) => readonly Step[],
  { ordersByID }: Evidence
): Finding[] {
  if (!isComplete) return [{ userID, summary: `the orders of ${userID} could not be listed at the end: ${failure}` }]
  const shown = new Map(pages.flatMap(({ orders }) => orders.map(({ orderID, status }) => [orderID, status])))
  return [...ordersByID].flatMap(([orderID, [order]]): Finding[] => {
    if (order?.event?.userID !== userID) return []
    const steps = timelines(orderID)
    const [is, shouldBe] = [shown.get(orderID) ?? 'not listed', steps.at(-1)?.status ?? 'not listed']
    if (is === shouldBe) return []
    const records = steps.map(({ record }) => record)
    return [{ orderID, userID, records, summary: `at the end its status is ${is}; in the topics it is ${shouldBe}` }]
  })
}
