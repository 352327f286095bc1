/** Throughput and latency of the same loops, side by side on the same broker. */
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { createProducer, createTopics, deadLetterTopic, type KafkaConnection } from '@orderly/kafka'
import { median } from '../measure/statistics.ts'
import type { Contestant } from './contestants.ts'
import { startLoop, type WorkerReport } from './loop-process.ts'

export interface Figures {
  readonly recordsPerSecond: number
  readonly cpuMicroseconds: number
  /** Mean number of records in a transaction. */
  readonly batchRecords: number
  readonly p50Ms: number
  readonly p99Ms: number
}

const valueBytes = 200
const partitions = 4
const deadlineMs = 120_000
/** Records per second while the latency is measured. */
const rate = 200
/** Share of the records after which the measurement begins. */
const warmUp = 1 / 4

interface Sizes {
  readonly rounds: number
  readonly backlog: number
  readonly paced: number
}

/** Measures all contestants in turn, each round beginning with another one. Returns medians. */
export async function measureAll(
  connection: KafkaConnection,
  contestants: readonly Contestant[],
  { rounds, backlog, paced }: Sizes,
  say: (text: string) => void
): Promise<Map<Contestant, Figures>> {
  const input = await fill(connection, backlog)
  const found = new Map<Contestant, Figures[]>(contestants.map(own => [own, []]))
  for (let round = 0; round < rounds; round++) {
    const order = contestants.map((_, index) => contestants[(index + round) % contestants.length] as Contestant)
    for (const contestant of order) {
      say(`round ${round + 1}, ${contestant.name}`)
      try {
        const figures = await measure(connection, contestant, { input, backlog, paced })
        found.get(contestant)?.push(figures)
        say(JSON.stringify(figures))
      } catch (error) {
        say(`${contestant.name} was not measured: ${(error as Error).message}`)
      }
    }
  }
  return new Map(
    [...found].map(([contestant, all]) => {
      const of = (key: keyof Figures) => median(all.map(figures => figures[key]))
      const fast = { recordsPerSecond: of('recordsPerSecond'), cpuMicroseconds: of('cpuMicroseconds') }
      return [contestant, { ...fast, batchRecords: of('batchRecords'), p50Ms: of('p50Ms'), p99Ms: of('p99Ms') }]
    })
  )
}

async function measure(
  connection: KafkaConnection,
  contestant: Contestant,
  { input, backlog, paced }: { readonly input: string; readonly backlog: number; readonly paced: number }
): Promise<Figures> {
  const { records, transactions, seconds, cpuSeconds } = await runLoop(connection, contestant, input, backlog)
  const { p50Ms, p99Ms } = await measureLatency(connection, contestant, paced)
  const known = (value: number | undefined) => value ?? Number.NaN
  return {
    recordsPerSecond: known(records) / known(seconds),
    cpuMicroseconds: (known(cpuSeconds) * 1e6) / known(records),
    batchRecords: known(records) / known(transactions),
    p50Ms: known(p50Ms),
    p99Ms: known(p99Ms)
  }
}

async function runLoop(
  connection: KafkaConnection,
  contestant: Contestant,
  input: string,
  records: number,
  whileRunning: () => Promise<void> = async () => {}
): Promise<WorkerReport> {
  const id = randomUUID()
  const output = `out-${id}`
  await createTopics(connection, [{ name: output, partitions, replicationFactor: 1 }])
  const ids = { group: `group-${id}`, transactionalID: `loop-${id}` }
  const measure = { from: records * warmUp, to: records }
  const loop = startLoop(contestant, { mode: 'loop', brokers: connection.brokers, input, output, ...ids, measure })
  try {
    const signal = AbortSignal.timeout(deadlineMs)
    await loop.reported('joined', signal)
    await whileRunning()
    return await loop.reported('done', signal)
  } finally {
    await loop.kill()
  }
}

async function measureLatency(connection: KafkaConnection, contestant: Contestant, count: number) {
  const input = `paced-${randomUUID()}`
  await createInput(connection, input)
  const producer = await createProducer(connection)
  try {
    return await runLoop(connection, contestant, input, count, async () => {
      await delay(1_000)
      const startMs = performance.now()
      for (let index = 0; index < count; index++) {
        await delay(Math.max(0, startMs + (index * 1_000) / rate - performance.now()))
        await producer.send([recordFor(input, index)])
      }
    })
  } finally {
    await producer.close()
  }
}

/** Creates an input with the dead-letter topic that our stage needs. */
function createInput(connection: KafkaConnection, input: string): Promise<void> {
  const names = [input, deadLetterTopic(input)]
  return createTopics(
    connection,
    names.map(name => ({ name, partitions, replicationFactor: 1 }))
  )
}

async function fill(connection: KafkaConnection, count: number): Promise<string> {
  const input = `backlog-${randomUUID()}`
  await createInput(connection, input)
  const producer = await createProducer(connection)
  for (let sent = 0; sent < count; sent += 1_000)
    await producer.send(
      Array.from({ length: Math.min(1_000, count - sent) }, (_, index) => recordFor(input, sent + index))
    )
  await producer.close()
  return input
}

function recordFor(topic: string, index: number) {
  const value = Buffer.alloc(valueBytes, `${index} `)
  return { topic, key: `key-${index}`, partition: index % partitions, value, headers: {} }
}
