import type { DeadLetter } from '@orderly/kafka'
import { formatTime } from '../command-line/time.ts'

/** A letter as commands print it with --json. */
export function letterJson(letter: DeadLetter) {
  const { topic, partition, offset, stage, code, reason, source, replay, timestampMs } = letter
  return {
    topic,
    partition,
    offset,
    stage,
    key: letter.key.toString(),
    code,
    reason,
    eventID: textOf(letter, 'event-id'),
    traceparent: textOf(letter, 'traceparent'),
    writtenAt: formatTime(timestampMs),
    source: source.topic === '' ? undefined : source,
    failedReplay: replay
  }
}

export function textOf({ headers }: DeadLetter, header: string): string | undefined {
  return headers[header]?.toString()
}
