import type { OutputRecord } from '@orderly/kafka'

/**
 * Topic for pauses of acceptance: while an operator changes topics, order services refuse all
 * writes with 503 and `Retry-After`.
 *
 * The topic is compacted and has one key. The newest record contains the end of the pause. The
 * operator's command repeatedly writes a record with a later end, so the pause ends after a crash
 * of the command. Each order service reads the topic every second. An instance that cannot read it
 * accepts orders, so the command also checks that no more orders are written.
 */
export const acceptanceTopic = 'orders.acceptance'

/** Interval at which order services read the topic. */
export const acceptanceReadMs = 1_000

const key = 'orders'

export function acceptanceRecord(pausedUntilMs: number): OutputRecord {
  const value = Buffer.from(JSON.stringify({ pausedUntilMs }))
  return { topic: acceptanceTopic, key, value, headers: { 'content-type': 'application/json' } }
}

/** Parses the end of the pause from the value of a record. Returns 0 for any other value. */
export function pausedUntilMsOf(value: Buffer | null): number {
  try {
    return Number(JSON.parse(value?.toString() ?? '').pausedUntilMs) || 0
  } catch {
    return 0
  }
}
