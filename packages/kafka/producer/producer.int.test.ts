import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { integrationEnvironment } from '@orderly/launcher/testing'
import { createTopics } from '../cluster/admin.ts'
import { falsifyProduceResponses } from '../testing/falsify-produce.ts'
import { readCommitted } from '../testing/read-committed.ts'
import { createProducer } from './producer.ts'
import type { ProducerOptions } from './producer-options.ts'

const connection = () => ({ brokers: integrationEnvironment().kafkaBrokers, clientID: 'producer-test' })

async function topicAndProducer(
  t: TestContext,
  partitions: number,
  options: ProducerOptions = {},
  configs: Readonly<Record<string, string>> = {}
) {
  const topic = `produced-${randomUUID()}`
  await createTopics(connection(), [{ name: topic, partitions, replicationFactor: 1, configs }])
  const producer = await createProducer(connection(), options)
  t.after(() => producer.close())
  return { topic, producer }
}

test('records for more partitions than fit into one request are each written once, in the order of their keys', async t => {
  // On a busy machine a broker takes several seconds to lead 150 new partitions.
  const { topic, producer } = await topicAndProducer(t, 150, { deliveryTimeoutMs: 60_000 })
  const keys = Array.from({ length: 600 }, (_, index) => `key ${index}`)
  const rounds = ['first', 'second', 'third']
  // The calls are concurrent: records of a key follow one another in one batch or in several.
  await Promise.all(
    rounds.flatMap(round => keys.map(key => producer.send([{ topic, key, value: Buffer.from(round), headers: {} }])))
  )
  const count = keys.length * rounds.length
  const written = await readCommitted(connection(), topic, records => records.length >= count)
  assert.equal(written.length, count)
  const byKey = Map.groupBy(written, ({ key }) => key)
  for (const key of keys)
    assert.deepEqual(
      byKey.get(key)?.map(({ value }) => value.toString()),
      rounds,
      key
    )
})

test('a record that the broker rejects fails alone, whatever else was in its request', async t => {
  const { topic, producer } = await topicAndProducer(t, 12)
  const send = (key: string, value: Buffer) => producer.send([{ topic, key, value, headers: {} }])
  const others = Array.from({ length: 11 }, (_, index) => `key ${index}`)
  const [huge, ...small] = await Promise.allSettled([
    send('huge', Buffer.alloc(2_000_000)),
    ...others.map(key => send(key, Buffer.from(key)))
  ])
  assert.equal(huge?.status, 'rejected')
  assert.equal((huge as PromiseRejectedResult).reason.code, 'MESSAGE_TOO_LARGE')
  // Records of the same partition follow in a separate batch.
  assert.deepEqual(new Set(small.map(({ status }) => status)), new Set(['fulfilled']))
  await send('huge', Buffer.from('small enough'))
  const written = await readCommitted(connection(), topic, records => records.length >= others.length + 1)
  assert.deepEqual(new Set(written.map(({ key }) => key)), new Set([...others, 'huge']))
})

test('batches adapt to a small size limit of their topic, and a record above the limit fails alone', async t => {
  const { topic, producer } = await topicAndProducer(t, 1, {}, { 'max.message.bytes': '20000' })
  const send = (text: string, length: number) =>
    producer.send([{ topic, key: 'k', value: Buffer.from(text.padEnd(length, '.')), headers: {} }])
  const texts = Array.from({ length: 400 }, (_, index) => `${index} `)
  const results = await Promise.allSettled(texts.map((text, index) => send(text, index === 123 ? 30_000 : 300)))
  const failed = results.flatMap((result, index) => (result.status === 'rejected' ? [[index, result.reason.code]] : []))
  assert.deepEqual(failed, [[123, 'MESSAGE_TOO_LARGE']])
  await producer.send(texts.map(text => ({ topic, key: 'k', value: Buffer.from(text.padEnd(300, '.')), headers: {} })))
  const expected = [...texts.filter((_, index) => index !== 123), ...texts]
  const written = await readCommitted(connection(), topic, records => records.length >= expected.length)
  assert.deepEqual(
    written.map(({ value }) => value.toString().replaceAll('.', '')),
    expected
  )
})

test('pending records are bounded by their bytes, and a single call may exceed the bound', async t => {
  const { topic, producer } = await topicAndProducer(t, 1, { maxBufferedBytes: 100_000 })
  const send = (bytes: number) => producer.send([{ topic, key: 'k', value: Buffer.alloc(bytes), headers: {} }])
  const large = send(200_000)
  await assert.rejects(send(1), { code: 'PRODUCER_QUEUE_FULL', retryable: true })
  await large
  await Promise.all([send(40_000), send(40_000)])
})

test('a record acknowledged after an ambiguous permanent error of the previous batch is in the log', async t => {
  const { topic, producer } = await topicAndProducer(t, 1)
  const send = (text: string) => producer.send([{ topic, key: 'k', value: Buffer.from(text), headers: {} }])
  const unknownServerError = -1
  falsifyProduceResponses(t, topic, [unknownServerError])
  await assert.rejects(send('appended, then reported as failed'), { code: 'UNKNOWN_SERVER_ERROR', retryable: false })
  await send('acknowledged')
  await send('last')
  const written = await readCommitted(connection(), topic, records =>
    records.some(({ value }) => `${value}` === 'last')
  )
  assert.deepEqual(
    written.map(({ value }) => value.toString()),
    ['appended, then reported as failed', 'acknowledged', 'last']
  )
})

test('a rejection after an earlier lost response does not make the producer reuse the sequence numbers', async t => {
  const { topic, producer } = await topicAndProducer(t, 1)
  const send = (text: string) => producer.send([{ topic, key: 'k', value: Buffer.from(text), headers: {} }])
  const [notLeader, messageTooLarge] = [6, 10]
  falsifyProduceResponses(t, topic, [notLeader, messageTooLarge])
  await assert.rejects(send('appended'), { code: 'MESSAGE_TOO_LARGE' })
  await send('acknowledged')
  const written = await readCommitted(connection(), topic, records =>
    records.some(({ value }) => `${value}` === 'acknowledged')
  )
  assert.deepEqual(
    written.map(({ value }) => value.toString()),
    ['appended', 'acknowledged']
  )
})

test('an aborted call of send rejects with the reason of its signal, and others are written', async t => {
  const { topic, producer } = await topicAndProducer(t, 1)
  const record = (text: string) => ({ topic, key: 'k', value: Buffer.from(text), headers: {} })
  const aborting = new AbortController()
  const reason = new Error('the client has disconnected')
  const aborted = producer.send([record('aborted')], { signal: aborting.signal })
  const other = producer.send([record('other')])
  aborting.abort(reason)
  await assert.rejects(aborted, error => error === reason)
  await other
  await assert.rejects(producer.send([record('later')], { signal: aborting.signal }), error => error === reason)
  await producer.send([record('last')])
  const written = await readCommitted(connection(), topic, all => all.some(({ value }) => `${value}` === 'last'))
  const texts = written.map(({ value }) => value.toString()).filter(text => text !== 'aborted')
  assert.deepEqual(texts, ['other', 'last'])
})
