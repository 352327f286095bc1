/**
 * Program that reads topics with our `read_committed` reader and prints the returned offsets. It
 * is a separate process so that a mutant can be planted in it as in a service.
 */
import { partitionKey } from '@orderly/kafka'
import { readCommitted } from '@orderly/kafka/testing'

interface Job {
  readonly brokers: readonly string[]
  /** Offset of the last visible record by topic and partition. */
  readonly last: Readonly<Record<string, Readonly<Record<string, number>>>>
}

const deadlineMs = 15_000
/** Additional time in which unexpected records may arrive. */
const lingerMs = 400

const { brokers, last } = JSON.parse(process.argv[2] ?? '') as Job
const reads: Record<string, number[]> = {}
for (const [topic, ends] of Object.entries(last)) {
  const enough = new AbortController()
  const deadline = setTimeout(() => enough.abort(), deadlineMs)
  const isComplete = () =>
    Object.entries(ends).every(
      ([partition, offset]) => reads[partitionKey({ topic, partition: Number(partition) })]?.includes(offset) ?? false
    )
  let isLingering = false
  const finish = () => {
    if (!isLingering) setTimeout(() => enough.abort(), lingerMs)
    isLingering = true
  }
  if (isComplete()) finish()
  const read = readCommitted(
    { brokers, clientID: 'orderly-verify' },
    topic,
    records => {
      const fresh: Record<string, number[]> = {}
      for (const { partition, offset } of records) {
        const key = partitionKey({ topic, partition })
        fresh[key] ??= []
        fresh[key].push(Number(offset))
      }
      Object.assign(reads, fresh)
      if (isComplete()) finish()
      return false
    },
    { signal: enough.signal }
  )
  await read.catch(error => {
    if (!enough.signal.aborted) throw error
  })
  clearTimeout(deadline)
}
process.stdout.write(`${JSON.stringify(reads)}\n`)
