import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { integrationEnvironment } from '@orderly/launcher/testing'
import { createTopics } from '../cluster/admin.ts'
import { stringCodec } from '../codecs/plain-codecs.ts'
import { deadLetterTopic } from '../dead-letters/topics.ts'
import { runStage } from '../stage/run-stage.ts'
import { readWithJavaClient } from '../testing/java-reader.ts'
import { readCommitted } from '../testing/read-committed.ts'
import { createProducer } from './producer.ts'

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

test("Kafka's Java client reads what a producer and a stage write with each compression", async () => {
  const connection = { brokers: integrationEnvironment().kafkaBrokers, clientID: 'compression-test' }
  const [input, output] = [`in-${randomUUID()}`, `out-${randomUUID()}`]
  await createTopics(
    connection,
    [input, output, deadLetterTopic(input)].map(name => ({ name, partitions: 1, replicationFactor: 1 }))
  )
  const texts = Array.from({ length: 50 }, (_, index) => `text-${index}-`.repeat(40))
  const record = (topic: string, text: string) => ({ topic, key: 'k', value: Buffer.from(text), headers: {} })
  const expected: string[] = []
  for (const compression of ['none', 'gzip', 'zstd'] as const) {
    const producer = await createProducer(connection, { compression })
    await producer.send(texts.map(text => record(output, `${compression}-${text}`)))
    if (compression === 'zstd') await producer.send(texts.map(text => record(input, text)))
    await producer.close()
    expected.push(...texts.map(text => `${compression}-${text}`))
  }
  for (const compression of ['gzip', 'zstd'] as const) {
    const stage = runStage(
      {
        name: 'copy',
        group: `${compression}-${input}`,
        inputs: [{ name: input, eventType: 'Text', codec: stringCodec }],
        process: async records => records.map(({ event }) => record(output, `stage-${compression}-${event}`))
      },
      { connection, compression, transactionalID: `${compression}-${input}`, isTransient: () => false, logger: silent }
    )
    expected.push(...texts.map(text => `stage-${compression}-${text}`))
    await readCommitted(connection, output, all => all.length === expected.length)
    await stage.stop()
  }
  const [broker] = connection.brokers
  const read = await readWithJavaClient(broker as string, output, expected.length)
  assert.deepEqual(read.map(line => line.split(' ').at(-1)).toSorted(), expected.toSorted())
})
