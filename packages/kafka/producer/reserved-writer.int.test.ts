import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { integrationEnvironment, startBroker } from '@orderly/launcher/testing'
import { createTopics } from '../cluster/admin.ts'
import { falsifyProduceResponses } from '../testing/falsify-produce.ts'
import { readCommitted } from '../testing/read-committed.ts'
import { createReservedWriter } from './reserved-writer.ts'

const { kafkaBrokers } = integrationEnvironment()

async function setUp(t: TestContext, brokers: readonly string[] = kafkaBrokers) {
  const connection = { brokers, clientID: 'reserved-writer-test' }
  const topic = `once-${randomUUID()}`
  await createTopics(connection, [{ name: topic, partitions: 4, replicationFactor: 1 }])
  const open = () => {
    const writer = createReservedWriter(connection, { deliveryTimeoutMs: 20_000 })
    t.after(() => writer.close())
    return writer
  }
  const record = (key: string, text: string) => ({ topic, key, value: Buffer.from(text), headers: {} })
  const written = async (count: number) =>
    (await readCommitted(connection, topic, all => all.length >= count)).map(({ value }) => String(value)).sort()
  return { topic, open, record, written }
}

test('a sequence reservation that several writers use concurrently and again later contains its record once', async t => {
  const { topic, open, record, written } = await setUp(t)
  const writers = [open(), open(), open()] as const
  const reservation = await writers[0].reserve(topic, 'ann')
  await Promise.all(writers.flatMap(writer => [1, 2, 3].map(() => writer.write(reservation, record('ann', 'first')))))
  await writers[1].write(reservation, record('ann', 'first'))

  const behind = await writers[0].reserve(topic, 'ann')
  await writers[0].write(behind, record('ann', 'last'))
  assert.deepEqual(await written(2), ['first', 'last'])
})

test('a reservation released as written frees its producer id, and an uncertain one retires it', async t => {
  const { topic, open, record, written } = await setUp(t)
  const writer = open()
  const first = await writer.reserve(topic, 'ann')
  await writer.write(first, record('ann', '1'))
  writer.release(first, 'written')
  const second = await writer.reserve(topic, 'ann')
  assert.deepEqual([second.producerID, second.sequence], [first.producerID, 1])
  writer.release(second, 'unused')
  const again = await writer.reserve(topic, 'ann')
  assert.deepEqual(again, second)
  writer.release(again, 'uncertain')
  const third = await writer.reserve(topic, 'ann')
  assert.notEqual(third.producerID, first.producerID)
  await writer.write(third, record('ann', '3'))
  await open().write(again, record('ann', '2'))
  await open().write(again, record('ann', '2'))
  assert.deepEqual(await written(3), ['1', '2', '3'])
})

test('a restarted broker still rejects duplicates of a reservation that was written before', async t => {
  const broker = await startBroker(t)
  const { topic, open, record, written } = await setUp(t, broker.brokers)
  const writer = open()
  const reservation = await writer.reserve(topic, 'ann')
  await writer.write(reservation, record('ann', 'once'))
  await broker.kill()
  await broker.start()
  await writer.write(reservation, record('ann', 'once'))
  await open().write(reservation, record('ann', 'once'))
  const other = await writer.reserve(topic, 'ann')
  await writer.write(other, record('ann', 'other'))
  assert.deepEqual(await written(2), ['once', 'other'])
})

test('concurrent reservations for many keys are each written once', async t => {
  const { topic, open, record, written } = await setUp(t)
  const writer = open()
  const texts = Array.from({ length: 500 }, (_, index) => `record-${index}`)
  const startMs = performance.now()
  const shoppers = Array.from({ length: 25 }, async () => {
    for (let text = texts.pop(); text !== undefined; text = texts.pop()) {
      const reservation = await writer.reserve(topic, text)
      await writer.write(reservation, record(text, text))
      writer.release(reservation, 'written')
    }
  })
  await Promise.all(shoppers)
  t.diagnostic(`${Math.round(500_000 / (performance.now() - startMs))} records a second, 25 at a time`)
  const all = await written(500)
  assert.equal(new Set(all).size, 500)
  assert.equal(all.length, 500)
})

test('the outcome of a reservation is unknown after a permanent error that can follow an append, and known after a rejection', async t => {
  const { topic, open, record, written } = await setUp(t)
  const writer = open()
  const reservation = await writer.reserve(topic, 'ann')
  const unknownServerError = -1
  falsifyProduceResponses(t, topic, [unknownServerError])
  await assert.rejects(writer.write(reservation, record('ann', 'once')), {
    code: 'UNKNOWN_SERVER_ERROR',
    mayBeWritten: true
  })
  await writer.write(reservation, record('ann', 'once'))

  const other = await writer.reserve(topic, 'bob')
  const tooLarge = 'x'.repeat(2_000_000)
  await assert.rejects(writer.write(other, record('bob', tooLarge)), { code: 'MESSAGE_TOO_LARGE', mayBeWritten: false })
  await writer.write(other, record('bob', 'other'))
  assert.deepEqual(await written(2), ['once', 'other'])
})

test('a batch that several writers write concurrently and again later is stored once, and an older one is recognized', async t => {
  const { topic, open, record, written } = await setUp(t)
  const writers = [open(), open()] as const
  const texts = (batch: number) => ['a', 'b', 'c'].map(text => `${batch} ${text}`)
  const partition = await writers[0].partitionOf(topic, 'ann')
  const batches: Buffer[] = []
  for (let batch = 0; batch < 5; batch++) {
    const reservation = await writers[0].reserveIn(topic, partition)
    assert.equal(reservation.sequence, 3 * batch)
    const bytes = writers[0].encode(
      reservation,
      texts(batch).map(text => record('ann', text))
    )
    batches.push(bytes)
    await Promise.all([...writers, ...writers].map(writer => writer.writeEncoded(reservation, bytes)))
    writers[0].release(reservation, 'written', 3)
  }
  // A broker remembers the last five batches of a producer id.
  for (const bytes of batches) await writers[1].writeEncoded({ topic, partition }, Buffer.from(bytes))
  assert.deepEqual(await written(15), [0, 1, 2, 3, 4].flatMap(texts))
})

test('a batch that is older than the last five of its producer id is rejected and not written again', async t => {
  const { topic, open, record, written } = await setUp(t)
  const writer = open()
  const partition = await writer.partitionOf(topic, 'ann')
  const batches: Buffer[] = []
  for (let batch = 0; batch < 6; batch++) {
    const reservation = await writer.reserveIn(topic, partition)
    batches.push(writer.encode(reservation, [record('ann', `${batch}`)]))
    await writer.writeEncoded(reservation, batches[batch] as Buffer)
    writer.release(reservation, 'written')
  }
  await assert.rejects(writer.writeEncoded({ topic, partition }, batches[0] as Buffer), {
    code: 'OUT_OF_ORDER_SEQUENCE_NUMBER',
    mayBeWritten: true
  })
  const part = await writer.reserveIn(topic, partition)
  await assert.rejects(
    writer.writeEncoded(
      part,
      writer.encode(
        { ...part, sequence: 4 },
        ['4', '5'].map(text => record('ann', text))
      )
    ),
    { code: 'OUT_OF_ORDER_SEQUENCE_NUMBER' },
    'a batch with other limits is not recognized'
  )
  assert.deepEqual(await written(6), ['0', '1', '2', '3', '4', '5'])
})
