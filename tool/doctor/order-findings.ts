import { recordKey, topicNames } from '@orderly/contracts'
import { letterHeader } from '@orderly/kafka'
import { orderly } from '../command-line/command.ts'
import { plural } from '../command-line/numbers.ts'
import { formatDuration } from '../command-line/time.ts'
import { shellKeyOptions } from '../dlq/key-text.ts'
import { statusOf } from '../orders/life.ts'
import type { FoundRecord, OrderTables, Row } from '../orders/sources.ts'
import { type Finding, problem } from './finding.ts'
import type { Facts, Thresholds } from './findings.ts'

/** All that is written of an order. */
export interface OrderTraces {
  readonly orderID: string
  readonly tables: OrderTables
  readonly records: readonly FoundRecord[]
}

/** The group in which orders get their outcome, and the one in which customers are told of it. */
const decidingGroup = 'orders-created'
const notifyingGroup = 'notifications'

/** Why an order does not go on: nothing when it has all that it can have by now. */
export function diagnoseOrder(traces: OrderTraces, facts: Facts, { waitingMs }: Thresholds): Finding[] {
  const { orderID, tables, records } = traces
  const about = `order ${orderID}`
  const created = records.find(({ eventType }) => eventType === 'OrderCreated')?.record
  const letters = letterFindings(traces, facts)
  if (created === undefined && letters.length === 0 && tables.outcome === undefined) {
    return [tables.status?.accepted_at == null ? unknown(about, tables) : unread(about, tables.status, facts)]
  }
  const found = [
    ...letters,
    ...tables.deliveries.flatMap(deliveryFinding(about)),
    ...untoldFindings(traces, facts, waitingMs)
  ]
  if (tables.outcome !== undefined) {
    if ((statusOf(tables.status) ?? 'accepted') !== 'accepted') return found
    const todo = 'see the group order-status; npm run rebuild-status makes all of it anew'
    return [...found, problem(about, `is ${tables.outcome.kind}, but shops do not see that yet`, todo)]
  }
  if (created === undefined || letters.length > 0) return found
  const { topic, partition, offset, timestampMs } = created
  const place = `${topic}/${partition} at ${offset}`
  const next = nextOffset(created, decidingGroup, facts) ?? 0n
  if (next > offset) {
    const todo = `ask again; if it stays, see what the inventory logged under its trace (${orderly} orders show ${orderID})`
    return [...found, problem(about, `was read from ${place}, and there is no outcome of it`, todo)]
  }
  const before = next < offset ? `${plural(Number(offset - next), 'record')} before it` : 'it is the next one'
  const ageMs = facts.nowMs - timestampMs
  const what = `waits in ${place} for its outcome since ${formatDuration(ageMs)}; ${before}`
  const todo = `see what is said here of group ${decidingGroup} and of transactions; when nothing is, wait`
  return [...found, { severity: ageMs < waitingMs ? 'hint' : 'problem', about, what, todo }]
}

function unknown(about: string, { key }: OrderTables): Finding {
  if (key === undefined) {
    return problem(about, 'is nowhere', 'see the id; an order that was not answered 202 may not be there')
  }
  const what = `has a key (attempt ${key.attempt}) and is not in ${topicNames.ordersCreated}: its request did not end`
  return problem(about, what, 'have the shop make the same request with the same key: that ends it, once')
}

/** Returns the finding for an order that order status knows, whose record is gone, and that has no outcome. */
function unread(about: string, { created_partition, created_offset }: Row, { incidents }: Facts): Finding {
  const [partition, offset] = [Number(created_partition), Number(created_offset)]
  const place = `${topicNames.ordersCreated}/${partition} at ${offset}`
  const isSkipped = incidents.some(
    ({ kind, groupID, fromOffset, toOffset, ...own }) =>
      kind === 'offsets_skipped' &&
      groupID === decidingGroup &&
      own.topic === topicNames.ordersCreated &&
      own.partition === partition &&
      (fromOffset ?? 0) <= offset &&
      offset < (toOffset ?? 0)
  )
  const why = isSkipped
    ? 'it was removed before the inventory read it'
    : 'retention removed it, or the topic was deleted and created again'
  const todo = 'have the shop place it again, with a new Idempotency-Key: this one gets no outcome any more'
  return problem(about, `is accepted, has no outcome, and its record is not in ${place} any more: ${why}`, todo)
}

/** Where a group goes on in the partition of a record. Undefined when it does not read it. */
function nextOffset({ topic, partition }: FoundRecord['record'], group: string, { groups }: Facts): bigint | undefined {
  const lag = groups
    .find(({ groupID }) => groupID === group)
    ?.lag.find(own => own.topic === topic && own.partition === partition)
  return lag?.committedOffset ?? lag?.beginningOffset
}

/** What the notification service has not read yet. */
function untoldFindings({ orderID, tables, records }: OrderTraces, facts: Facts, waitingMs: number): Finding[] {
  const told = new Set(tables.deliveries.map(({ event_id }) => event_id))
  return records.flatMap(({ record, eventType }) => {
    const { topic, partition, offset, timestampMs, headers } = record
    const next = nextOffset(record, notifyingGroup, facts)
    if (next === undefined || next > offset || told.has(headers.text('event-id'))) return []
    const ageMs = facts.nowMs - timestampMs
    const what = `nobody was told of its ${eventType}, which waits in ${topic}/${partition} at ${offset} since ${formatDuration(ageMs)}`
    const todo = `see what is said here of group ${notifyingGroup}; when nothing is, wait`
    return [{ severity: ageMs < waitingMs ? 'hint' : 'problem', about: `order ${orderID}`, what, todo }] as const
  })
}

/** But for copies, which hold nothing up, and for deliveries of which the ledger says as much. */
function letterFindings({ orderID, tables }: OrderTraces, { letters }: Facts): Finding[] {
  const givenUp = new Set(tables.deliveries.filter(({ status }) => status === 'given-up').map(({ target }) => target))
  return letters.flatMap(({ topic, key, letters: waiting }) =>
    waiting
      .filter(letter => letterHeader(letter, 'event-id')?.includes(`-${orderID}`))
      .filter(letter => !letter.isCopy && !givenUp.has(letterHeader(letter, 'notification-target')))
      .map(({ partition, offset, code, reason }) => {
        const which = key === null ? `--partition ${partition} --offset ${offset}` : shellKeyOptions(key)
        const these = `--topic ${topic} ${which}`
        const todo = `${orderly} dlq show ${these}; mend what the first of them names, then ${orderly} dlq replay ${these}`
        return problem(`order ${orderID}`, `a record of it is a dead letter in ${topic} (${code}: ${reason})`, todo)
      })
  )
}

const deliveryFinding =
  (about: string) =>
  ({ target, status, attempts, code, reason, user_id, caller }: Row): Finding[] => {
    const userID = String(user_id)
    const owner = recordKey({ userID, ...(caller !== '' && caller !== undefined && { caller: String(caller) }) })
    const why = `${code}: ${reason}`
    if (status === 'given-up') {
      const todo = `mend the target, then ${orderly} dlq replay --topic notifications ${shellKeyOptions(Buffer.from(owner))}`
      return [problem(about, `its notification to ${target} was given up (${why})`, todo)]
    }
    if (status === 'skipped') {
      const todo = 'nothing, if nobody wants it; else give the target an address that works'
      return [{ severity: 'hint', about, what: `its notification to ${target} was skipped (${why})`, todo }]
    }
    if (status === 'sent') return []
    if (Number(attempts) > 0) {
      const what = `its notification to ${target} has failed ${plural(Number(attempts), 'time')} (${why})`
      return [problem(about, what, 'mend the target: it is tried again by itself')]
    }
    const todo = `when it stays, see whether the notification service runs, and an earlier one of user ${userID} to that target`
    return [{ severity: 'hint', about, what: `its notification to ${target} has not been tried yet`, todo }]
  }
