import { topicNames } from '@orderly/contracts'
import type { History, RecordedRecord } from '../../history/history.ts'
import { slowdownIn } from '../../history/slowdown.ts'
import { type Evidence, positionKey } from '../evidence.ts'
import type { Finding, Guarantee } from '../guarantee.ts'

/** Settings of the aggregators in a run. */
export interface RatePolicy {
  readonly graceMs: number
  readonly clockSkewMs: number
  /** Further time within which the final record of a minute must be published. */
  readonly finalWithinMs: number
}

/**
 * Values of AGGREGATOR_GRACE_MS and AGGREGATOR_CLOCK_SKEW_MS in a run, and the bound of the
 * checker.
 */
export const ratePolicy: RatePolicy = { graceMs: 2_000, clockSkewMs: 10_000, finalWithinMs: 15_000 }

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
 * The newest record of each minute counts exactly the orders created in it and written within its
 * grace period, and separately the late ones. Revisions never decrease, and final counts never
 * change.
 */
export const ratesAddUp: Guarantee = {
  number: 9,
  promise: 'Orders per minute add up to the committed orders, even if several instances count them and are killed.',
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
      findings.push({
        summary: `${minute(windowStartMs)} was published, but has no orders in the topic`,
        records: recordsOf(own)
      })
  }
  for (const [windowStartMs, orders] of windows) {
    const own = published.get(windowStartMs) ?? []
    const findingsOf = checkFigure(windowStartMs, orders, own.at(-1), evidence.history, policy)
    findings.push(...findingsOf.map(summary => ({ summary, atMs: windowStartMs, records: recordsOf(own.slice(-3)) })))
  }
  return findings
}

/** Excludes dead letters of the stage and replays of dead letters of other stages. */
function ordersToCount({ orders, deadLetters }: Evidence): RecordedRecord[] {
  const deadLettered = new Set(deadLetters.filter(({ stage }) => stage === stageName).map(({ origin }) => origin))
  return orders.filter(record => {
    const { 'dlq-replay': replay, 'dlq-stage': stage } = record.headers
    return (replay === undefined || stage === stageName) && !deadLettered.has(positionKey(record))
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
      findings.push({ summary: `${name}: ${last.rate.orders} orders were final, but changed`, records })
  }
  return findings
}

function checkFigure(
  windowStartMs: number,
  orders: readonly RecordedRecord[],
  newest: RateRecord | undefined,
  { endedAtMs, machine }: Pick<History, 'endedAtMs' | 'machine'>,
  { graceMs, clockSkewMs, finalWithinMs }: RatePolicy
): string[] {
  const name = minute(windowStartMs)
  if (newest === undefined) return [`${name} has ${orders.length} orders, but was never published`]
  const graceEndMs = windowStartMs + windowMs + graceMs
  const late = orders.filter(({ timestampMs }) => timestampMs >= graceEndMs).length
  const summaries: string[] = []
  const { rate } = newest
  if (rate.orders !== orders.length - late || rate.late !== late) {
    const figures = `${rate.orders} orders and ${rate.late} late orders`
    summaries.push(`${name} was published with ${figures}; it has ${orders.length - late} and ${late}`)
  }
  const finalFromMs = graceEndMs + clockSkewMs
  if (!rate.isFinal && finalFromMs + finalWithinMs * slowdownIn(machine, finalFromMs, endedAtMs) <= endedAtMs)
    summaries.push(`${name} has no final record long after its end`)
  return summaries
}

function minute(windowStartMs: number): string {
  return `${new Date(windowStartMs).toISOString().slice(0, 16)}Z`
}

function recordsOf(rates: readonly RateRecord[]): RecordedRecord[] {
  return rates.map(({ record }) => record)
}
