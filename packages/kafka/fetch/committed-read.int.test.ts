import assert from 'node:assert/strict'
import { randomInt, randomUUID } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { integrationEnvironment } from '@orderly/launcher/testing'
import type { CompressionAlgorithmValue } from '@platformatic/kafka'
import fc from 'fast-check'
import { createTopics } from '../cluster/admin.ts'
import { readWithJavaClient } from '../testing/java-reader.ts'
import { readCommitted } from '../testing/read-committed.ts'
import { ScriptedProducer } from '../testing/scripted-producer.ts'

const connection = { brokers: integrationEnvironment().kafkaBrokers, clientID: 'integration-test' }

async function setUp(t: TestContext, options: { partitions?: number; producers?: number } = {}) {
  const topic = `committed-${randomUUID()}`
  await createTopics(connection, [{ name: topic, partitions: options.partitions ?? 1, replicationFactor: 1 }])
  const producers = await Promise.all(
    Array.from({ length: options.producers ?? 1 }, () =>
      new ScriptedProducer(connection, `scripted-${randomUUID()}`).init()
    )
  )
  t.after(() => Promise.all(producers.map(producer => producer.close())))
  return { topic, producers, producer: producers[0] as ScriptedProducer }
}

const valuesUpTo = (last: string) => (records: readonly { value: Buffer }[]) =>
  records.some(({ value }) => value.toString() === last)

type ReadOptions = NonNullable<Parameters<typeof readCommitted>[3]>

async function readValues(topic: string, last: string, options: ReadOptions = {}): Promise<string[]> {
  const records = await readCommitted(connection, topic, valuesUpTo(last), options)
  return records.map(({ value }) => value.toString())
}

test('no record of several aborted transactions of one producer in one fetch is returned', async t => {
  const { topic, producer } = await setUp(t)
  for (const outcome of ['abort', 'abort', 'abort', 'commit'] as const) {
    await producer.write(topic, 0, [outcome])
    await producer.end(outcome)
  }
  assert.deepEqual(await readValues(topic, 'commit'), ['commit'])
})

test('an aborted record is not returned if its abort marker is outside the fetched range', async t => {
  const { topic, producer } = await setUp(t)
  await producer.write(topic, 0, ['aborted 1'])
  await producer.write(topic, 0, ['aborted 2'])
  await producer.end('abort')
  await producer.write(topic, 0, ['committed'])
  await producer.end('commit')
  assert.deepEqual(await readValues(topic, 'committed', { maxPartitionBytes: 1 }), ['committed']) // one batch in each fetch
})

test('a fetcher with a pace fetches again immediately if a response did not contain all records', async t => {
  const { topic, producer } = await setUp(t)
  const values = ['1', '2', '3', '4']
  for (const value of values) await producer.write(topic, 0, [value])
  await producer.end('commit')
  const options = { maxPartitionBytes: 1, pace: { everyMs: 600_000, abovePerSecond: 0 } } // one batch in each fetch
  assert.deepEqual(await readValues(topic, '4', options), values)
})

test('transactions of several producers in one partition are distinguished', async t => {
  const { topic, producers } = await setUp(t, { producers: 2 })
  const [one, other] = producers as [ScriptedProducer, ScriptedProducer]
  await one.write(topic, 0, ['aborted'])
  await other.write(topic, 0, ['committed 1'])
  await other.end('commit')
  await one.write(topic, 0, ['aborted too'])
  await other.write(topic, 0, ['committed 2'])
  await one.end('abort')
  await one.write(topic, 0, ['committed 3'])
  await other.end('commit')
  await one.end('commit')
  assert.deepEqual(await readValues(topic, 'committed 3'), ['committed 1', 'committed 2', 'committed 3'])
})

for (const compression of ['gzip', 'snappy', 'lz4', 'zstd'] satisfies CompressionAlgorithmValue[]) {
  test(`batches compressed with ${compression} are returned if committed, and not if aborted`, async t => {
    const { topic, producer } = await setUp(t)
    await producer.write(topic, 0, ['aborted', 'aborted'], compression)
    await producer.end('abort')
    await producer.write(topic, 0, ['committed 1', 'committed 2'], compression)
    await producer.end('commit')
    assert.deepEqual(await readValues(topic, 'committed 2'), ['committed 1', 'committed 2'])
  })
}

test('a record of an open transaction, and later committed records, are returned only after the transaction ends', async t => {
  const { topic, producers } = await setUp(t, { partitions: 2, producers: 2 })
  const [slow, quick] = producers as [ScriptedProducer, ScriptedProducer]
  await slow.write(topic, 0, ['slow'])
  await quick.write(topic, 0, ['quick'])
  await quick.end('commit')
  await quick.write(topic, 1, ['in the other partition'])
  await quick.end('commit')
  assert.deepEqual(await readValues(topic, 'in the other partition'), ['in the other partition'])
  await slow.end('commit')
  const inFirst = (await readValues(topic, 'quick')).filter(value => value !== 'in the other partition')
  assert.deepEqual(inFirst, ['slow', 'quick'])
})

/** One step of one of three producers in a partition. */
const step = fc.record({
  producer: fc.integer({ min: 0, max: 2 }),
  action: fc.oneof(
    { weight: 5, arbitrary: fc.integer({ min: 1, max: 4 }).map(records => ({ kind: 'write' as const, records })) },
    { weight: 2, arbitrary: fc.constant({ kind: 'commit' as const }) },
    { weight: 2, arbitrary: fc.constant({ kind: 'abort' as const }) }
  ),
  compression: fc.constantFrom<CompressionAlgorithmValue>('none', 'none', 'none', 'gzip', 'lz4')
})

test('any interleaving of transactions yields the same records as the Java client, with any fetch boundaries', async t => {
  const seed = Number(process.env.ORDERLY_TEST_SEED ?? randomInt(2 ** 31))
  t.diagnostic(`seed ${seed} (set ORDERLY_TEST_SEED to repeat)`)
  const scripts = fc.sample(fc.array(step, { minLength: 5, maxLength: 40 }), { seed, numRuns: 16 })
  const { topic, producers } = await setUp(t, { partitions: scripts.length, producers: 3 })

  let committed = 0
  // Partitions are written one after the other, because a producer has one transaction at a time.
  for (const [partition, script] of scripts.entries()) {
    /** Numbers of records in open transactions. */
    const open = new Map<ScriptedProducer, number>()
    let count = 0
    for (const { producer: index, action, compression } of script) {
      const producer = producers[index] as ScriptedProducer
      if (action.kind === 'write') {
        const values = Array.from({ length: action.records }, () => `value-${partition}-${count++}`)
        await producer.write(topic, partition, values, compression)
        open.set(producer, (open.get(producer) ?? 0) + action.records)
      } else if (open.has(producer)) {
        await producer.end(action.kind)
        if (action.kind === 'commit') committed += open.get(producer) ?? 0
        open.delete(producer)
      }
    }
    for (const producer of open.keys()) await producer.end('abort')
    const closing = producers[0] as ScriptedProducer
    await closing.write(topic, partition, [`end-${partition}`])
    await closing.end('commit')
    committed++
  }

  const expected = await readWithJavaClient(connection.brokers[0] as string, topic, committed)
  assert.equal(expected.length, committed)
  const all = (records: readonly { value: Buffer }[]) =>
    records.filter(({ value }) => value.toString().startsWith('end-')).length === scripts.length
  for (const maxPartitionBytes of [1, 200, 1_000, 1_000_000]) {
    const records = await readCommitted(connection, topic, all, { maxPartitionBytes })
    const seen = records.map(({ partition, offset, value }) => `${partition} ${offset} ${value}`).toSorted()
    assert.deepEqual(seen, expected, `seed ${seed}, at most ${maxPartitionBytes} bytes of each partition per fetch`)
  }
})
