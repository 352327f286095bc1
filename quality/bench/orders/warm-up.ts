import { setImmediate as nextTurn } from 'node:timers/promises'
import { createProducer, type KafkaConnection, runStage } from '@orderly/kafka'
import { silent } from '../ours/answer-tasks.ts'
import { createBenchTopics } from './fill-topic.ts'

const writers = 32
const bytes = 200
const textCodec = {
  isPrepared: () => true,
  prepare: async () => {},
  decode: (bytes: Buffer, start?: number, end?: number) => bytes.subarray(start, end),
  encode: (value: Buffer) => value
}

/**
 * Writes, reads and commits until the broker's JVM has compiled the code that all contestants use.
 * A broker that has just started uses ten times the CPU time per record, which would penalize the
 * first contestant.
 */
export async function warmUpBroker(connection: KafkaConnection, seconds: number): Promise<void> {
  const [input, output] = ['bench-warm-up-in', 'bench-warm-up-out']
  await createBenchTopics(connection, [input, output], 4)
  const producer = await createProducer(connection)
  const stage = runStage(
    {
      name: 'warm-up',
      group: 'bench-warm-up',
      inputs: [{ name: input, eventType: 'Bytes', codec: textCodec }],
      process: async records => records.map(({ key, event }) => ({ topic: output, key, value: event, headers: {} }))
    },
    {
      connection,
      delivery: 'exactly-once',
      transactionalID: 'bench-warm-up',
      logger: silent,
      isTransient: () => false,
      maxBatchRecords: 500
    }
  )
  const untilMs = performance.now() + seconds * 1_000
  async function write(writer: number): Promise<void> {
    const value = Buffer.alloc(bytes)
    for (let count = 0; performance.now() < untilMs; count++) {
      await producer.send([{ topic: input, key: `${writer} ${count % 100}`, value, headers: {} }])
      await nextTurn()
    }
  }
  try {
    await Promise.all(Array.from({ length: writers }, (_, writer) => write(writer)))
  } finally {
    await stage.stop()
    await producer.close()
  }
}
