import { formatDuration, plural } from '@orderly/command-line'
import { recordKey, topicNames } from '@orderly/contracts'
import { deadLetterHeader } from '@orderly/kafka'
import { orderly } from '../command-line/command.ts'
import { shellKeyOptions } from '../dlq/key-text.ts'
import type { FoundRecord, OrderTables, Row } from '../orders/sources.ts'
import { statusOf } from '../orders/timeline.ts'
import { type Finding, problem } from './finding.ts'
import type { Facts, Thresholds } from './findings.ts'

/** Everything recorded about an order. */
export interface OrderTraces {
  readonly orderID: string
  readonly tables: OrderTables
  readonly records: readonly FoundRecord[]
}

/** Consumer groups of the stages that decide orders and that notify users. */
const decidingGroup = 'orders-created'
const notifyingGroup = 'notifications'

const outcomeTypes = new Set(['InventoryReserved', 'InventoryFailed'])

/**
 * Returns true if shops see no outcome. An undecided order whose record is lost may have an outcome
 * in the database, if it was cancelled: the inventory publishes that when it reads the order.
 */
const isUndecided = ({ status, outcome }: OrderTables) =>
  outcome === undefined || (status?.accepted_at != null && statusOf(status) === 'accepted')

/** Returns why an order makes no progress; empty if it has everything that it can have now. */
export function diagnoseOrder(traces: OrderTraces, facts: Facts, { waitingMs }: Thresholds): Finding[] {
  const { orderID, tables, records } = traces
  const about = `order ${orderID}`
  const created = records.find(({ eventType }) => eventType === 'OrderCreated')?.record
  const deadLetters = deadLetterFindings(traces, facts)
  const isDecided = records.some(({ eventType }) => outcomeTypes.has(eventType))
  if (created === undefined && deadLetters.length === 0 && !isDecided && isUndecided(tables)) {
    return [tables.status?.accepted_at == null ? unknown(about, tables) : lost(about, tables.status, tables.losses)]
  }
  const found = [
    ...deadLetters,
    ...tables.deliveries.flatMap(deliveryFinding(about)),
    ...unreportedFindings(traces, facts, waitingMs)
  ]
  if (tables.outcome !== undefined) {
    if ((statusOf(tables.status) ?? 'accepted') !== 'accepted') return found
    const todo =
      'start the order service (npm run service -- order) if the group order-status has no members; otherwise npm run rebuild-status rebuilds the status of all orders'
    return [...found, problem(about, `is ${tables.outcome.kind}, but shops do not see that yet`, todo)]
  }
  if (created === undefined || deadLetters.length > 0) return found
  const { topic, partition, offset, timestampMs } = created
  const position = `${topic}/${partition} at ${offset}`
  const next = nextOffset(created, decidingGroup, facts) ?? 0n
  if (next > offset) {
    const todo = `check again; if it persists, see what the inventory logged for its trace (${orderly} orders show ${orderID})`
    return [...found, problem(about, `was read from ${position}, and has no outcome`, todo)]
  }
  const before = next < offset ? `preceded by ${plural(Number(offset - next), 'record')}` : 'it is the next record'
  const ageMs = facts.nowMs - timestampMs
  const what = `has been pending in ${position} for ${formatDuration(ageMs)}; ${before}`
  const todo = `see the findings about group ${decidingGroup} and transactions; if there are none, wait`
  return [...found, { severity: ageMs < waitingMs ? 'hint' : 'problem', about, what, todo }]
}

function unknown(about: string, { key }: OrderTables): Finding {
  if (key === undefined) {
    return problem(about, 'is unknown', 'check the id; an order that was not answered with 202 may not exist')
  }
  const what = `has an idempotency key (attempt ${key.attempt}) and is not in ${topicNames.ordersCreated}: its request was not completed`
  return problem(about, what, 'have the shop repeat the request with the same key, which completes it once')
}

/**
 * Returns the finding for an order whose status exists, whose record is gone, and that has no
 * outcome. It is a hint once the incident is acknowledged.
 */
function lost(about: string, { created_partition, created_offset }: Row, losses: readonly Row[]): Finding {
  const position = `${topicNames.ordersCreated}/${created_partition} at ${created_offset}`
  const [incident] = losses
  const why =
    incident?.kind === 'offsets_skipped'
      ? 'it was removed before the inventory read it'
      : incident === undefined
        ? 'retention removed it, or an operator moved the offset of the group'
        : 'the topic lost it'
  const what = `is accepted, has no outcome, and its record is not in ${position} any more: ${why}`
  const todo = 'have the shop place it again, with a new Idempotency-Key'
  const open = losses.find(({ acknowledged_at }) => acknowledged_at === null)
  if (open !== undefined) {
    const acknowledge = `${orderly} positions acknowledge inventory-${open.id}`
    return problem(about, what, `${todo}, then ${acknowledge}, which makes this a hint: this order gets no outcome`)
  }
  if (incident === undefined) return problem(about, what, `${todo}: this order gets no outcome, and this line stays`)
  return { severity: 'hint', about, what, todo: `${todo} unless it has done so: this order gets no outcome` }
}

/**
 * Returns the next offset of a group in the partition of a record; undefined if the group does not
 * read it.
 */
function nextOffset({ topic, partition }: FoundRecord['record'], group: string, { groups }: Facts): bigint | undefined {
  const lag = groups
    .find(({ groupID }) => groupID === group)
    ?.lag.find(own => own.topic === topic && own.partition === partition)
  return lag?.committedOffset ?? lag?.beginningOffset
}

/** Returns findings for events that the notification service has not read yet. */
function unreportedFindings({ orderID, tables, records }: OrderTraces, facts: Facts, waitingMs: number): Finding[] {
  const reported = new Set(tables.deliveries.map(({ event_id }) => event_id))
  return records.flatMap(({ record, eventType }) => {
    const { topic, partition, offset, timestampMs, headers } = record
    const next = nextOffset(record, notifyingGroup, facts)
    if (next === undefined || next > offset || reported.has(headers.text('event-id'))) return []
    const ageMs = facts.nowMs - timestampMs
    const what = `its ${eventType} was not notified yet, and has been pending in ${topic}/${partition} at ${offset} for ${formatDuration(ageMs)}`
    const todo = `see the findings about group ${notifyingGroup}; if there are none, wait`
    return [{ severity: ageMs < waitingMs ? 'hint' : 'problem', about: `order ${orderID}`, what, todo }] as const
  })
}

/**
 * Returns findings for dead letters of an order. Copies are omitted because they block nothing.
 * Exhausted deliveries are omitted because they have a separate finding.
 */
function deadLetterFindings({ orderID, tables }: OrderTraces, { deadLetters }: Facts): Finding[] {
  const exhausted = new Set(
    tables.deliveries.filter(({ status }) => status === 'exhausted').map(({ target }) => target)
  )
  return deadLetters.flatMap(({ topic, key, deadLetters: waiting }) =>
    waiting
      .filter(deadLetter => deadLetterHeader(deadLetter, 'event-id')?.includes(`-${orderID}`))
      .filter(deadLetter => !deadLetter.isCopy && !exhausted.has(deadLetterHeader(deadLetter, 'notification-target')))
      .map(({ partition, offset, code, reason }) => {
        const which = key === null ? `--partition ${partition} --offset ${offset}` : shellKeyOptions(key)
        const these = `--topic ${topic} ${which}`
        const todo = `${orderly} dlq show ${these}; fix the cause of the first one, then ${orderly} dlq replay ${these}`
        return problem(`order ${orderID}`, `one of its records is a dead letter in ${topic} (${code}: ${reason})`, todo)
      })
  )
}

const deliveryFinding =
  (about: string) =>
  ({ target, status, attempts, code, reason, user_id, caller }: Row): Finding[] => {
    const userID = String(user_id)
    const owner = recordKey({ userID, ...(caller !== '' && caller !== undefined && { caller: String(caller) }) })
    const why = `${code}: ${reason}`
    if (status === 'exhausted') {
      const todo = `fix the target, then ${orderly} dlq replay --topic notifications ${shellKeyOptions(Buffer.from(owner))}`
      return [problem(about, `its notification to ${target} is exhausted (${why})`, todo)]
    }
    if (status === 'skipped') {
      const todo = 'nothing if this is intended; otherwise set an address of the target that works'
      return [{ severity: 'hint', about, what: `its notification to ${target} was skipped (${why})`, todo }]
    }
    if (status === 'sent') return []
    if (Number(attempts) > 0) {
      const what = `its notification to ${target} has failed ${plural(Number(attempts), 'time')} (${why})`
      return [problem(about, what, 'fix the target: the delivery is retried automatically')]
    }
    const todo = `if it persists, check that the notification service runs, and whether an earlier delivery of user ${userID} to that target is pending`
    return [{ severity: 'hint', about, what: `its notification to ${target} has not been attempted yet`, todo }]
  }
