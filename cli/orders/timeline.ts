import { plural } from '@orderly/command-line'
import { orderStatusOf, ownerOfKey } from '@orderly/contracts'
import { replayHeader } from '@orderly/kafka'
import { parseTraceparent } from '@orderly/service-kit'
import type { FoundRecord, OrderTables, Row } from './sources.ts'

/** An event in the timeline of an order. */
export interface TimelineEvent {
  readonly atMs: number | undefined
  readonly what: string
  /** Topic with partition and offset, or table. */
  readonly where: string
  readonly detail: string
}

export interface OrderTimeline {
  readonly orderID: string
  readonly userID: string | undefined
  /** Caller that placed the order. */
  readonly caller: string | undefined
  readonly traceID: string | undefined
  /** Status as returned by the order API. */
  readonly status: string | undefined
  readonly events: readonly TimelineEvent[]
}

/** Returns everything recorded about an order, sorted by time; undefined if nothing is recorded. */
export function timelineOf(
  orderID: string,
  tables: OrderTables,
  records: readonly FoundRecord[]
): OrderTimeline | undefined {
  const { status, key, outcome, lines, settlements, deliveries, audits } = tables
  const events: TimelineEvent[] = []
  const add = (at: unknown, what: string, where: string, detail = '') =>
    events.push({ atMs: at instanceof Date ? at.getTime() : (at as number | undefined), what, where, detail })

  if (key !== undefined) {
    add(key.claimed_at, 'request', 'orders.idempotency_keys', `key ${key.key}, ${key.state}, attempt ${key.attempt}`)
  }
  if (status?.accepted_at != null) add(status.accepted_at, 'accepted', 'orders.orders', priceOf(status))
  for (const { record, eventType } of records) {
    const { topic, partition, offset, timestampMs } = record
    const replay = record.headers.text(replayHeader)
    // The part of the event id after the order id names the change.
    const change = record.headers.text('event-id')?.split(`${orderID}-`)[1] ?? ''
    const detail = [change, replay ? `replayed: ${replay}` : ''].filter(text => text !== '').join(', ')
    add(timestampMs, eventType, `${topic} ${partition}/${offset}`, detail)
  }
  // An order is reserved as a whole. The lines of a released order are deleted, so its items are
  // used.
  const reserved = piecesOf(lines.length > 0 ? lines : status?.items)
  if (outcome !== undefined) {
    const detail = outcome.kind === 'reserved' ? reserved : `${outcome.reason} ${JSON.stringify(outcome.shortages)}`
    add(outcome.decided_at, `decided: ${outcome.kind}`, 'inventory.outcomes', detail)
  }
  for (const { kind, cause, settled_at } of settlements) {
    const why = cause === null ? '' : String(cause)
    const detail = kind === 'released' && reserved !== '' ? `${why}: ${reserved}` : why
    add(settled_at, String(kind), 'inventory.settlements', detail)
  }
  for (const { event_id, target, status, attempts, code, reason, accepted_at, finished_at } of deliveries) {
    const why = code === null ? '' : `, ${code}: ${reason}`
    add(accepted_at, 'notification accepted', 'notification.deliveries', `${target}, ${event_id}`)
    add(
      finished_at ?? undefined,
      `notification ${status}`,
      'notification.deliveries',
      `${target}, attempts ${attempts}${why}`
    )
  }
  for (const { table, row } of audits) add(undefined, 'audited', table, placeOf(row))
  if (events.length === 0) return undefined

  const [first] = records
  const traceparent = first?.record.headers.text('traceparent')
  const owner = first?.record.key == null ? undefined : ownerOfKey(first.record.key.toString())
  const userID = status?.user_id ?? outcome?.user_id ?? owner?.userID
  const caller = status?.caller ?? outcome?.caller ?? owner?.caller
  const traceID = status?.trace_id ?? parseTraceparent(traceparent)?.traceID
  return {
    orderID,
    userID: textOf(userID),
    caller: textOf(caller),
    traceID: textOf(traceID),
    status: statusOf(status),
    events: events.toSorted((a, b) => (a.atMs ?? Number.POSITIVE_INFINITY) - (b.atMs ?? Number.POSITIVE_INFINITY))
  }
}

/** Returns the status of a row of `orders.orders`, in the terms of the order API. */
export function statusOf(row: Row | undefined): string | undefined {
  if (row?.accepted_at == null) return undefined
  return orderStatusOf({
    outcome: (row.outcome ?? undefined) as 'reserved' | 'failed' | undefined,
    reason: row.reason as string | null,
    isConfirmed: row.confirmed_at != null,
    isReleased: row.released_at != null,
    releaseCause: row.release_cause as string | null
  })
}

function priceOf({ items, total_minor, currency }: Row): string {
  const count = plural(Array.isArray(items) ? items.length : 0, 'line')
  return `${count}, ${plural(Number(total_minor), 'minor unit')} ${currency ?? ''}`.trim()
}

function piecesOf(items: unknown): string {
  const lines: readonly Row[] = Array.isArray(items) ? items : []
  return lines.map(({ sku, quantity }) => `${quantity} × ${sku}`).join(', ')
}

/** Returns the position of the record in a row of the audit. */
function placeOf({ record_topic, record_partition, record_offset }: Row): string {
  return record_topic === undefined ? '' : `${record_topic} ${record_partition}/${record_offset}`
}

function textOf(value: unknown): string | undefined {
  return value === undefined || value === null ? undefined : String(value)
}
