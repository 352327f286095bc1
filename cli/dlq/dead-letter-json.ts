import { formatTime } from '@orderly/command-line'
import { type DeadLetter, deadLetterHeader } from '@orderly/kafka'
import { formatKey, ownerOf } from './key-text.ts'

/** Returns a dead letter as printed with --json. */
export function deadLetterJson(deadLetter: DeadLetter) {
  const { topic, partition, offset, stage, code, reason, source, replay, timestampMs, reduced, batch } = deadLetter
  return {
    topic,
    partition,
    offset,
    stage,
    key: deadLetter.key && formatKey(deadLetter.key),
    ...ownerOf(deadLetter.key),
    code,
    reason,
    eventID: deadLetterHeader(deadLetter, 'event-id'),
    traceparent: deadLetterHeader(deadLetter, 'traceparent'),
    writtenAt: formatTime(timestampMs),
    source: source.topic === '' ? undefined : source,
    failedReplay: replay,
    reduced,
    batch: batch && { ...batch, firstOffset: source.offset }
  }
}
