import type { History } from '../../history/history.ts'
import type { Poll, ReaderRun, ReadRecord } from '../../history/reads.ts'
import { createRandom, type Random } from '../../plan/random.ts'

const readers = ['orderly-1', 'orderly-2', 'java-1']

/** Adds what correct committed readers return: every committed record, in polls of several sizes. */
export function withReads(history: History): History {
  const random = createRandom(history.seed, 'reads')
  return { ...history, reads: readers.map(reader => ({ reader, polls: pollsOf(history, random) })) }
}

function pollsOf({ records }: History, random: Random): Poll[] {
  const polls: (Poll & { records: ReadRecord[] })[] = []
  for (const record of records.filter(({ transaction }) => transaction !== 'aborted')) {
    const { topic, partition, offset, valueDigest, headers, timestampMs } = record
    const last = polls.at(-1)
    const isSame = last?.topic === topic && last.partition === partition
    const read: ReadRecord = [offset, valueDigest, headers['event-id'] ?? '']
    if (last === undefined || !isSame || random.chance(0.3))
      polls.push({ atMs: timestampMs + 5, topic, partition, records: [read] })
    else last.records.push(read)
  }
  return polls
}

/** Changes the polls of one reader. */
export function changingPolls(history: History, reader: string, change: (polls: readonly Poll[]) => readonly Poll[]) {
  const reads = history.reads?.map((run): ReaderRun => {
    return run.reader === reader ? { ...run, polls: change(run.polls) } : run
  })
  return { ...history, ...(reads && { reads }) }
}
