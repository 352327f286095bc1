import { topicNames } from '@orderly/contracts'
import type { RecordedRecord } from '../../history/history.ts'
import { type Evidence, placeOf } from '../evidence.ts'
import type { Finding, Guarantee } from '../guarantee.ts'

/** How the aggregators of a run are set. */
export interface RatePolicy {
  readonly graceMs: number
  readonly settleMs: number
  /** Within so long behind all that a minute must have its final record. */
  readonly finalWithinMs: number
}

/** Given to the aggregators of a run as AGGREGATOR_GRACE_MS and AGGREGATOR_SETTLE_MS. */
export const ratePolicy: RatePolicy = { graceMs: 2_000, settleMs: 10_000, finalWithinMs: 15_000 }

interface Rate {
  readonly windowStartMs: number
  readonly windowEndMs: number
  readonly orders: number
  readonly late: number
  readonly revision: number
  readonly isFinal: boolean
}

interface RateRecord {
  readonly record: RecordedRecord
  readonly rate: Rate
}

const stageName = 'order-rate'
const windowMs = 60_000

/**
 * The newest record of each minute has exactly the orders created in it that were written within its grace, and beside them
 * the later ones; whatever was published on the way, revisions never went down, and what was final stayed.
 */
export const ratesAddUp: Guarantee = {
  number: 9,
  promise:
    'Orders per minute add up to the orders committed, however many instances count and however often they are killed.',
  check: evidence => checkRates(evidence, ratePolicy)
}

export function checkRates(evidence: Evidence, policy: RatePolicy): Finding[] {
  const windows = Map.groupBy(ordersToCount(evidence), record => windowStartOf(record))
  const published = Map.groupBy(ratesOf(evidence), ({ rate }) => rate.windowStartMs)
  const findings: Finding[] = []

  for (const [windowStartMs, own] of published) {
    if (own.some(({ record }) => record.key !== minute(windowStartMs)))
      findings.push({ summary: `${minute(windowStartMs)} was published under another key`, records: recordsOf(own) })
    findings.push(...checkRevisions(minute(windowStartMs), own))
    if (!windows.has(windowStartMs))
      findings.push({ summary: `${minute(windowStartMs)} was published, but has no orders`, records: recordsOf(own) })
  }
  for (const [windowStartMs, orders] of windows) {
    const own = published.get(windowStartMs) ?? []
    const findingsOf = checkFigure(windowStartMs, orders, own.at(-1), evidence.history.endedAtMs, policy)
    findings.push(...findingsOf.map(summary => ({ summary, atMs: windowStartMs, records: recordsOf(own.slice(-3)) })))
  }
  return findings
}

/** All but what the stage has parked, and copies that were written again for another stage. */
function ordersToCount({ orders, deadLetters }: Evidence): RecordedRecord[] {
  const parked = new Set(deadLetters.filter(({ stage }) => stage === stageName).map(({ origin }) => origin))
  return orders.filter(record => {
    const { 'dlq-replay': replay, 'dlq-stage': stage } = record.headers
    return (replay === undefined || stage === stageName) && !parked.has(placeOf(record))
  })
}

function ratesOf({ visible }: Evidence): RateRecord[] {
  return visible(topicNames.orderRate).flatMap(record =>
    record.event === undefined ? [] : [{ record, rate: record.event as unknown as Rate }]
  )
}

function windowStartOf({ event, timestampMs }: RecordedRecord): number {
  const { createdAtMs = timestampMs } = event as { createdAtMs?: number }
  return Math.floor(createdAtMs / windowMs) * windowMs
}

function checkRevisions(name: string, own: readonly RateRecord[]): Finding[] {
  const findings: Finding[] = []
  for (const [index, next] of own.entries()) {
    const last = own[index - 1]
    if (last === undefined) continue
    const records = [last.record, next.record]
    if (next.rate.revision < last.rate.revision)
      findings.push({ summary: `${name}: revision ${next.rate.revision} follows ${last.rate.revision}`, records })
    if (next.rate.revision === last.rate.revision && next.record.valueDigest !== last.record.valueDigest)
      findings.push({ summary: `${name}: revision ${next.rate.revision} was published with two contents`, records })
    if (last.rate.isFinal && (!next.rate.isFinal || next.rate.orders !== last.rate.orders))
      findings.push({ summary: `${name}: ${last.rate.orders} orders were final, and changed`, records })
  }
  return findings
}

function checkFigure(
  windowStartMs: number,
  orders: readonly RecordedRecord[],
  newest: RateRecord | undefined,
  endedAtMs: number,
  { graceMs, settleMs, finalWithinMs }: RatePolicy
): string[] {
  const name = minute(windowStartMs)
  if (newest === undefined) return [`${name} has ${orders.length} orders, and was never published`]
  const graceEndMs = windowStartMs + windowMs + graceMs
  const late = orders.filter(({ timestampMs }) => timestampMs >= graceEndMs).length
  const summaries: string[] = []
  const { rate } = newest
  if (rate.orders !== orders.length - late || rate.late !== late) {
    const figures = `${rate.orders} orders and ${rate.late} late ones`
    summaries.push(`${name} was published with ${figures}; it has ${orders.length - late} and ${late}`)
  }
  if (!rate.isFinal && graceEndMs + settleMs + finalWithinMs <= endedAtMs)
    summaries.push(`${name} has no final record, long after its end`)
  return summaries
}

function minute(windowStartMs: number): string {
  return `${new Date(windowStartMs).toISOString().slice(0, 16)}Z`
}

function recordsOf(rates: readonly RateRecord[]): RecordedRecord[] {
  return rates.map(({ record }) => record)
}
