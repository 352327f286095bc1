/**
 * Example: tests a stage with the broker in memory, in milliseconds and without servers.
 *
 * It gives stages the same guarantees as Kafka, and this package runs one contract test against
 * both. `failNextCommit` is what a real broker does when it is away for a moment.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KafkaError } from '@orderly/kafka'
import { createInMemoryBroker } from '@orderly/kafka/testing'
import { type Payment, payments, receipts, transform } from './transform.ts'

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
const payment = (id: string, cents: number) => {
  const value = payments.codec.encode({ id, cents } satisfies Payment)
  return { topic: payments.name, key: 'ada', value, headers: {} }
}

test('a payment has one receipt, although its first commit fails', async t => {
  const broker = createInMemoryBroker()
  const { promise: committed, resolve } = Promise.withResolvers<void>()
  broker.failNextCommit(new KafkaError('BROKER_UNAVAILABLE', 'the broker is away', { retryable: true }))
  await broker.producer().send([payment('p1', 1_250)])
  const stage = broker.runStage(transform, {
    isTransient: () => false,
    logger: silent,
    observer: { committed: () => resolve() }
  })
  t.after(() => stage.stop())
  await committed
  assert.deepEqual(
    broker.records(receipts.name).map(({ key, value }) => [key, receipts.codec.decode(value).text]),
    [['ada', 'Thank you for 12.50 EUR.']]
  )
})
