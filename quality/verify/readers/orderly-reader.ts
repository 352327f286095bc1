/**
 * Program that reads topics with our library and `read_committed`, without a group, and prints what
 * each poll returned. `reader-process.ts` describes the output. It is a separate process so that a
 * mutant can be planted in it as in a service. It ends when it has read all partitions up to the
 * offsets in its first line of input, or at the end of its input.
 */
import { createHash } from 'node:crypto'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { createTopicReader, KafkaError, partitionKey } from '@orderly/kafka'
import { type RecordedRecord, readCommitted } from '@orderly/kafka/testing'
import { parseOffsets, type ReaderJob } from './reader-process.ts'

/** Time in which records after the last expected one would arrive. */
const lingerMs = 400
const resumeEveryMs = 300

interface Read {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  readonly value: Buffer | null
  readonly eventID: string
}

const { brokers, topics, mode } = JSON.parse(process.argv[2] ?? '') as ReaderJob
const connection = { brokers, clientID: `orderly-verify-${mode}` }
const lastRead = new Map<string, number>()
const complete = new AbortController()
let until: ReadonlyMap<string, number> | undefined

const input = createInterface({ input: process.stdin })
input.on('line', line => {
  until = parseOffsets(line)
  endIfComplete()
})
input.on('close', () => process.exit(1))

await (mode === 'follow' ? follow() : resumeAgainAndAgain())
process.stdout.write('', () => process.exit(0))

/** Reads with one fetcher that is never interrupted. */
async function follow(): Promise<void> {
  let printed = 0
  const onPoll = (records: readonly RecordedRecord[]) => {
    const fresh = records.slice(printed)
    printed = records.length
    print(fresh.map(({ bytes, headers, ...own }) => ({ ...own, ...idOf(headers['event-id']), value: bytes.value })))
    return false
  }
  await readCommitted(connection, topics, onPoll, { signal: complete.signal }).catch(error => {
    if (!complete.signal.aborted) throw error
  })
}

/** Reads to the current end, waits, and resumes, as the tools for dead letters do. */
async function resumeAgainAndAgain(): Promise<void> {
  const reader = createTopicReader(connection, topics)
  while (!complete.signal.aborted) {
    await reader
      .readBatches(
        records =>
          print(
            records.map(record => ({
              ...positionOf(record),
              value: record.value,
              ...idOf(record.headers.text('event-id'))
            }))
          ),
        complete.signal
      )
      .catch(error => {
        const isTransient = error instanceof KafkaError && error.retryable
        if (!isTransient && !complete.signal.aborted) throw error
      })
    await delay(resumeEveryMs, undefined, complete).catch(() => {})
  }
  await reader.close()
}

function positionOf({ topic, partition, offset }: Pick<Read, 'topic' | 'partition' | 'offset'>) {
  return { topic, partition, offset }
}

function idOf(eventID: string | undefined): Pick<Read, 'eventID'> {
  return { eventID: (eventID ?? '').replaceAll(/\s/g, ' ') }
}

function print(records: readonly Read[]): void {
  if (records.length === 0) return
  const lines = records.map(({ topic, partition, offset, value, eventID }) => {
    const digest = value === null ? '' : createHash('sha256').update(value).digest('hex').slice(0, 16)
    lastRead.set(partitionKey({ topic, partition }), Number(offset))
    return [topic, partition, offset, digest, eventID].join('\t')
  })
  process.stdout.write(`poll\t${Date.now()}\n${lines.join('\n')}\n`)
  endIfComplete()
}

function endIfComplete(): void {
  if (until === undefined || ![...until].every(([name, offset]) => (lastRead.get(name) ?? -1) >= offset)) return
  setTimeout(() => complete.abort(), lingerMs)
}
