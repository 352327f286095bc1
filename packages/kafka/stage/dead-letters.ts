import type { FetchedRecord } from '../committed-read/batch-records.ts'
import type { OutputRecord } from '../records.ts'

/** The dead-letter topic of a topic. */
export const deadLetterTopic = (topic: string): string => `${topic}.dlq`

/**
 * A record as it came, byte for byte, with what is needed to understand and to replay it: why and where it failed, and where
 * it stood. Its key is kept, so that the dead letters of one key keep their order.
 */
export function toDeadLetter(record: FetchedRecord, stageName: string, error: unknown): OutputRecord {
  const headers: Record<string, string | Buffer> = {}
  for (const [name, value] of record.headers) headers[name] = value ?? ''
  return {
    topic: deadLetterTopic(record.topic),
    key: record.key ?? '',
    value: record.value,
    timestampMs: record.timestampMs,
    headers: {
      ...headers,
      'dlq-stage': stageName,
      'dlq-reason': reasonOf(error),
      'dlq-code': codeOf(error),
      'dlq-topic': record.topic,
      'dlq-partition': String(record.partition),
      'dlq-offset': String(record.offset)
    }
  }
}

export function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' ? code : error instanceof Error ? error.name : 'UNKNOWN'
}

function reasonOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).slice(0, 1_000)
}
