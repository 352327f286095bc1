import { KafkaError } from '../errors.ts'
import { partitionKey } from '../types.ts'
import type { FetchedRecord } from './fetched-record.ts'
import type { Fetcher } from './fetcher.ts'
import type { PartitionPosition, SkippedRange } from './partition-state.ts'

const recordsAtOnce = 10_000
/** Maximum time for which a partition may be unreadable; a restart of its broker takes less. */
const patienceMs = 10_000

/**
 * Takes the records of a fetcher until each partition has been read to its end.
 *
 * @throws KafkaError when a partition cannot be read for 10 s; `OFFSETS_SKIPPED` when records were
 * removed before they were read, so the caller must read again from the beginning; or the signal's
 * reason
 */
export async function readToEnds(
  fetcher: Fetcher,
  ends: readonly PartitionPosition[],
  {
    onRecords,
    signal
  }: {
    /** Receives records. The next ones are taken when the returned promise has resolved. */
    readonly onRecords: (records: readonly FetchedRecord[]) => void | Promise<void>
    readonly signal: AbortSignal
  }
): Promise<void> {
  const endOf = new Map(ends.map(end => [partitionKey(end), end.offset]))
  const isBefore = (own: PartitionPosition) => own.offset < (endOf.get(partitionKey(own)) ?? 0n)
  const onAbort = () => fetcher.wake()
  signal.addEventListener('abort', onAbort)
  try {
    for (;;) {
      signal.throwIfAborted()
      const [skip] = fetcher.takeSkips()
      if (skip !== undefined) throw removed(skip)
      const unread = fetcher.positions().filter(isBefore)
      if (unread.length === 0 && !fetcher.hasRecords()) return
      const trouble = fetcher.trouble(unread, patienceMs)
      if (trouble !== undefined) throw trouble
      await onRecords(await fetcher.take(recordsAtOnce))
    }
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

function removed({ topic, partition, from, to }: SkippedRange): KafkaError {
  const message = `records ${from} to ${to} of ${topic}/${partition} were removed while the topic was read`
  return new KafkaError('OFFSETS_SKIPPED', `${message}. Read it again`, { retryable: true })
}
