import { type DeadLetter, letterHeader } from '@orderly/kafka'
import { formatTime } from '../command-line/time.ts'
import { formatKey, ownerOf } from './key-text.ts'

/** Returns a dead letter as printed with --json. */
export function letterJson(letter: DeadLetter) {
  const { topic, partition, offset, stage, code, reason, source, replay, timestampMs, reduced, batch } = letter
  return {
    topic,
    partition,
    offset,
    stage,
    key: letter.key && formatKey(letter.key),
    ...ownerOf(letter.key),
    code,
    reason,
    eventID: letterHeader(letter, 'event-id'),
    traceparent: letterHeader(letter, 'traceparent'),
    writtenAt: formatTime(timestampMs),
    source: source.topic === '' ? undefined : source,
    failedReplay: replay,
    reduced,
    batch: batch && { ...batch, firstOffset: source.offset }
  }
}
