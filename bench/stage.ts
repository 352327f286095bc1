import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createProducer, createTopics, deadLetterTopic, type KafkaConnection, runStage } from '@orderly/kafka'
import { chooseJava, createRunDirectories, findJavas, freePorts, runCommand, startKafka } from '@orderly/stack'
import { Consumer, type Message, MessagesStreamModes, Producer } from '@platformatic/kafka'

/**
 * Consume, transform, produce, exactly once: our stage against the bare loop that one writes with the client alone (which is not
 * exactly once: see packages/kafka/client-defects), on the same broker and records, in turns. Records go through as they are.
 */
interface Contestant {
  readonly name: string
  /** Brings all records through. @returns how long that took, from the first record read to the last commit */
  run(input: string, output: string, id: string): Promise<number>
}

const recordsPerRun = 60_000
const recordBytes = 200
const rounds = 5
const batchSizes = [500, 2_000]
const partitions = 4

export async function benchStage(): Promise<never> {
  return runCommand(async ({ supervise }) => {
    const directories = createRunDirectories(`bench-${process.pid}`)
    try {
      const ports = await freePorts(['broker', 'controller'])
      const nodes = [{ id: 1, port: ports.broker, controllerPort: ports.controller }]
      const supervisor = supervise(directories.logs)
      const java = chooseJava(findJavas())
      const { brokers } = await startKafka({ supervisor, java, dataDirectory: join(directories.data, 'kafka'), nodes })
      process.stdout.write(
        `${recordsPerRun} records of ${recordBytes} bytes, ${partitions} partitions, medians of ${rounds} rounds\n`
      )
      for (const batchSize of batchSizes) process.stdout.write(await compare({ brokers, clientID: 'bench' }, batchSize))
      return 0
    } finally {
      await rm(directories.run, { recursive: true, force: true })
    }
  })
}

async function compare(connection: KafkaConnection, batchSize: number): Promise<string> {
  const contestants: Contestant[] = [
    { name: 'bare loop of the client', run: bareLoop(connection, batchSize) },
    { name: 'stage, exactly once', run: stage(connection, batchSize, 'exactly-once') },
    { name: 'stage, at least once', run: stage(connection, batchSize, 'at-least-once') }
  ]
  const ratesOf = new Map<string, number[]>(contestants.map(({ name }) => [name, []]))
  for (let round = 0; round <= rounds; round++) {
    for (const { name, run } of contestants) {
      const id = `${batchSize}-${round}-${name.replaceAll(/\W+/g, '-')}`
      const [input, output] = [`in-${id}`, `out-${id}`]
      await createTopics(
        connection,
        [input, output, deadLetterTopic(input)].map(topic => ({ name: topic, partitions, replicationFactor: 1 }))
      )
      await fill(connection, input)
      const tookMs = await run(input, output, id)
      if (round > 0) ratesOf.get(name)?.push((recordsPerRun / tookMs) * 1_000) // the first round warms up
    }
  }
  const bare = ratesOf.get('bare loop of the client') ?? []
  const lines = contestants.map(({ name }) => {
    const rates = ratesOf.get(name) ?? []
    const ratio = median(rates.map((rate, round) => rate / (bare[round] as number)))
    const [slowest, fastest] = [Math.min(...rates), Math.max(...rates)].map(Math.round)
    return `  ${name.padEnd(26)} ${String(Math.round(median(rates))).padStart(7)}/s (${slowest} to ${fastest})  × ${ratio.toFixed(2)}\n`
  })
  return `${batchSize} records a transaction\n${lines.join('')}`
}

async function fill(connection: KafkaConnection, topic: string): Promise<void> {
  const producer = await createProducer(connection, { maxBufferedRecords: recordsPerRun, deliveryTimeoutMs: 60_000 })
  const value = Buffer.alloc(recordBytes, 'x')
  await producer.send(
    Array.from({ length: recordsPerRun }, (_, index) => ({ topic, key: `user-${index % 997}`, value, headers: {} }))
  )
  await producer.close()
}

function stage(
  connection: KafkaConnection,
  maxBatchRecords: number,
  delivery: 'exactly-once' | 'at-least-once'
): Contestant['run'] {
  return async (input, output, id) => {
    let firstMs = 0
    let committed = 0
    const done = Promise.withResolvers<number>()
    const codec = { prepare: async () => {}, decode: (value: Buffer) => value, encode: (value: Buffer) => value }
    const running = runStage(
      {
        name: 'bench',
        group: id,
        inputs: [{ name: input, eventType: 'Bytes', codec }],
        process: async records => {
          firstMs ||= performance.now()
          return records.map(({ key, event }) => ({ topic: output, key, value: event, headers: {} }))
        }
      },
      {
        connection,
        delivery,
        transactionalID: id,
        maxBatchRecords,
        isTransient: () => false,
        logger: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
        observer: {
          committed: ({ records }) => {
            committed += records
            if (committed === recordsPerRun) done.resolve(performance.now() - firstMs)
          }
        }
      }
    )
    const tookMs = await Promise.race([done.promise, running.finished.then(() => Number.NaN)])
    await running.stop()
    return tookMs
  }
}

function bareLoop(connection: KafkaConnection, batchSize: number): Contestant['run'] {
  return async (input, output, id) => {
    const base = { clientId: 'bench', bootstrapBrokers: [...connection.brokers] }
    const consumer = new Consumer({ ...base, groupId: id, autocommit: false })
    const producer = new Producer({ ...base, idempotent: true, transactionalId: id, retries: 1_000, retryDelay: 2 })
    const stream = await consumer.consume({ topics: [input], mode: MessagesStreamModes.EARLIEST, autocommit: false })
    let firstMs = 0
    let batch: Message<Buffer, Buffer, Buffer, Buffer>[] = []
    let committed = 0
    for await (const message of stream) {
      firstMs ||= performance.now()
      batch.push(message)
      if (batch.length < batchSize && committed + batch.length < recordsPerRun) continue
      const transaction = await producer.beginTransaction()
      await transaction.addConsumer(consumer)
      await transaction.send({ messages: batch.map(({ key, value }) => ({ topic: output, key, value })) })
      const last = new Map(batch.map(message => [message.partition, message]))
      for (const message of last.values()) await transaction.addOffset(message)
      await transaction.commit()
      committed += batch.length
      batch = []
      if (committed === recordsPerRun) break
    }
    const tookMs = performance.now() - firstMs
    await consumer.close(true)
    await producer.close()
    return tookMs
  }
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}
