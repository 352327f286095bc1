import type { OutputRecord } from '@orderly/kafka'

/**
 * Pauses of acceptance: while an operator changes topics, order services answer requests that would
 * write with 503 and `Retry-After`.
 *
 * `orders.acceptance` is a compacted topic with one key. Its newest record says until when acceptance
 * is paused. The operator's command writes the record again and again with a later time, so a crash
 * ends the pause. Each order service reads the topic every second. An instance that cannot read it
 * accepts orders, so the command checks that nothing is written any more.
 */
export const acceptanceTopic = 'orders.acceptance'

/** How often order services read the topic. */
export const acceptanceReadMs = 1_000

const key = 'orders'

export function acceptanceRecord(pausedUntilMs: number): OutputRecord {
  const value = Buffer.from(JSON.stringify({ pausedUntilMs }))
  return { topic: acceptanceTopic, key, value, headers: { 'content-type': 'application/json' } }
}

/** Returns until when acceptance is paused, according to a record; 0 when the record is not one of these. */
export function pausedUntilMsOf(value: Buffer | null): number {
  try {
    return Number(JSON.parse(value?.toString() ?? '').pausedUntilMs) || 0
  } catch {
    return 0
  }
}
