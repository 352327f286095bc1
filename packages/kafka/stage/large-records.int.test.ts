import assert from 'node:assert/strict'
import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { waitUntil } from '@orderly/launcher'
import { integrationEnvironment } from '@orderly/launcher/testing'
import { createTopics } from '../cluster/admin.ts'
import { Cluster } from '../cluster/cluster.ts'
import { committedOffsets } from '../consumer-group/committed-offsets.ts'
import { deadLetterTopicConfig } from '../dead-letter-replay/topic-config.ts'
import { deadLetterTopic } from '../dead-letters/topics.ts'
import type { OutputRecord, Topic } from '../records.ts'
import { readCommitted } from '../testing/read-committed.ts'
import { textCodec } from '../testing/text-codec.ts'
import { type BatchToWrite, writeBatch } from '../testing/write-batch.ts'
import { runStage } from './run-stage.ts'

const connection = { brokers: integrationEnvironment().kafkaBrokers, clientID: 'integration-test' }
const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

type Configs = Readonly<Record<string, string>>

/** Sets up a stage that can process values starting with "good". */
async function setUp(
  t: TestContext,
  delivery: 'exactly-once' | 'at-least-once',
  configs: { input?: Configs; deadLetters?: Configs }
) {
  const [input, output] = [`in-${randomUUID()}`, `out-${randomUUID()}`]
  const deadLetters = deadLetterTopic(input)
  const shape = { partitions: 1, replicationFactor: 1 }
  await createTopics(connection, [
    { name: input, ...shape, configs: { 'max.message.bytes': '8000000', ...configs.input } },
    { name: deadLetters, ...shape, configs: configs.deadLetters ?? {} },
    { name: output, ...shape }
  ])
  const codec: Topic<string>['codec'] = {
    ...textCodec,
    decode(bytes, start, end) {
      const text = textCodec.decode(bytes, start, end)
      if (!text.startsWith('good')) throw Object.assign(new Error('cannot be read'), { code: 'UNREADABLE' })
      return text
    }
  }
  const group = `group-${input}`
  const start = () => {
    const stage = runStage(
      {
        name: 'reader',
        group,
        inputs: [{ name: input, eventType: 'Text', codec }],
        process: async records =>
          records.map(({ key, event }) => ({ topic: output, key, value: Buffer.from(event), headers: {} }))
      },
      { connection, delivery, transactionalID: `stage-${input}`, isTransient: () => false, logger: silent }
    )
    t.after(() => stage.stop())
    return stage
  }
  const write = (records: BatchToWrite['records'], compression?: BatchToWrite['compression']) =>
    writeBatch(connection, { topic: input, partition: 0, records, ...(compression && { compression }) })
  const cluster = new Cluster(connection, { requestTimeoutMs: 5_000 })
  t.after(() => cluster.close())
  return {
    start,
    write,
    outputs: async (count: number) =>
      (await readCommitted(connection, output, found => found.length >= count)).map(({ value }) => String(value)),
    deadLetters: (count: number) => readCommitted(connection, deadLetters, found => found.length >= count),
    untilCommitted: (offset: bigint) =>
      waitUntil(
        async () => {
          const member = { groupID: group, memberID: '', instanceID: null, generation: -1 }
          const { found } = await committedOffsets(cluster, member, [{ topic: input, partition: 0 }], t)
          return found[0]?.offset === offset
        },
        { what: `offset ${offset} being committed`, deadlineMs: 60_000 }
      )
  }
}

const record = (text: string | Buffer, key = 'k', headers: OutputRecord['headers'] = {}) => ({
  key,
  value: Buffer.from(text),
  headers
})

for (const delivery of ['exactly-once', 'at-least-once'] as const) {
  test(`${delivery}: a dead letter that its topic rejects is written without its value, and the partition continues`, async t => {
    const { start, write, outputs, deadLetters, untilCommitted } = await setUp(t, delivery, {})
    const value = randomBytes(1_048_490)
    await write([record(value, 'blocked', { 'event-id': 'the event' })])
    await write([record('good, behind the large one', 'blocked'), record('good', 'another')])
    const stage = start()
    assert.deepEqual(await outputs(1), ['good'])
    const [reduced, follower] = await deadLetters(2)
    assert.deepEqual(
      [reduced?.bytes.value, reduced?.key, follower?.headers['dlq-code']],
      [null, 'blocked', 'KEY_BLOCKED']
    )
    const { 'dlq-headers': _, 'dlq-timestamp': timestamp, ...headers } = reduced?.headers ?? {}
    assert.deepEqual(headers, {
      'event-id': 'the event',
      'dlq-stage': 'reader',
      'dlq-reason': 'the value is not text in UTF-8',
      'dlq-code': 'UNREADABLE',
      ...{ 'dlq-topic': headers['dlq-topic'], 'dlq-partition': '0', 'dlq-offset': '0' },
      ...{ 'dlq-reduced': 'MESSAGE_TOO_LARGE', 'dlq-value-bytes': '1048490', 'dlq-value-sha256': sha256(value) }
    })
    assert.equal(timestamp, String(reduced?.timestampMs))
    await untilCommitted(3n)
    await stage.stop()
    await write([record('good, after a restart', 'blocked'), record('good again', 'another')])
    start()
    assert.deepEqual(await outputs(2), ['good', 'good again'])
    assert.equal((await deadLetters(3)).length, 3)
  })

  test(`${delivery}: a dead letter is compressed, and its topic accepts larger records than the input topic`, async t => {
    const { start, write, outputs, deadLetters } = await setUp(t, delivery, {
      input: { 'max.message.bytes': '1048588' },
      deadLetters: deadLetterTopicConfig
    })
    const [large, compressible] = [randomBytes(1_048_490), Buffer.alloc(5_000_000, 'not an order ')]
    await write([record(large, 'a')])
    await write([record(compressible, 'b')], 'gzip')
    await write([record(compressible, 'c')], 'zstd')
    await write([record('good', 'd')])
    start()
    assert.deepEqual(await outputs(1), ['good'])
    const written = await deadLetters(3)
    assert.deepEqual(
      written.map(({ key, value }) => `${key} ${sha256(value)}`),
      [`a ${sha256(large)}`, `b ${sha256(compressible)}`, `c ${sha256(compressible)}`]
    )
  })

  test(`${delivery}: a dead-letter topic with a small size limit gets each dead letter in the fullest form that fits`, async t => {
    const { start, write, outputs, deadLetters } = await setUp(t, delivery, {
      deadLetters: { 'max.message.bytes': '1500' }
    })
    const small = Array.from({ length: 200 }, (_, index) => record(`bad ${index}`, `key ${index}`))
    const manyHeaders = Array.from({ length: 40 }, (_, index) => [`header ${index}`, randomBytes(50)] as const)
    await write([
      ...small,
      record(randomBytes(3_000), 'large'),
      { ...record(randomBytes(3_000), 'with headers'), headers: manyHeaders },
      { ...record('bad', ''), key: randomBytes(20_000) },
      record('good', 'good')
    ])
    start()
    assert.deepEqual(await outputs(1), ['good'])
    const written = await deadLetters(small.length + 3)
    assert.deepEqual(
      written.slice(0, small.length).map(({ value }) => String(value)),
      small.map(({ value }) => String(value))
    )
    const [large, withHeaders, withLongKey] = written
      .slice(small.length)
      .map(({ headers, bytes }) => ({ headers, bytes }))
    assert.deepEqual([large?.bytes.value, large?.headers['dlq-value-bytes']], [null, '3000'])
    assert.deepEqual([withHeaders?.bytes.value, withHeaders?.headers['dlq-headers-dropped']], [null, '40'])
    assert.deepEqual([withLongKey?.bytes.key?.length, withLongKey?.headers['dlq-key-bytes']], [544, '20000'])
  })

  test(`${delivery}: a dead letter whose timestamp the topic rejects is written with the current time`, async t => {
    const { start, write, outputs, deadLetters } = await setUp(t, delivery, {
      deadLetters: { 'message.timestamp.before.max.ms': '60000' }
    })
    const timestampMs = Date.now() - 3_600_000
    await write([{ ...record('bad', 'a'), timestampMs }, record('good', 'b')])
    start()
    assert.deepEqual(await outputs(1), ['good'])
    const [deadLetter] = await deadLetters(1)
    assert.deepEqual(
      [deadLetter?.headers['dlq-reduced'], deadLetter?.headers['dlq-timestamp']],
      ['INVALID_TIMESTAMP', String(timestampMs)]
    )
    assert.ok((deadLetter?.timestampMs ?? 0) > timestampMs + 1_800_000)
  })
}
