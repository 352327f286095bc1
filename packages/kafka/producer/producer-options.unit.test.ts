import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createProducer } from './producer.ts'
import type { ProducerOptions } from './producer-options.ts'

/** Nothing listens there, so calls stay pending. */
const connection = { brokers: ['127.0.0.1:1'], clientID: 'producer-test' }
const record = { topic: 't', key: 'k', value: Buffer.from('v'), headers: {} }

test('the signal of a producer rejects pending and later calls with its reason', async () => {
  const aborting = new AbortController()
  const producer = await createProducer(connection, { signal: aborting.signal, deliveryTimeoutMs: 60_000 })
  const pending = [producer.send([record]), producer.send([record])]
  const reason = new Error('the program ends')
  aborting.abort(reason)
  for (const call of [...pending, producer.send([record])]) await assert.rejects(call, error => error === reason)
  await producer.close()
  await assert.rejects(createProducer(connection, { signal: aborting.signal }), error => error === reason)
})

test('unusable options are refused with their names', async () => {
  const cases: [object, RegExp][] = [
    [{ deliveryTimeoutMs: 0 }, /option deliveryTimeoutMs must be a positive integer \(got 0\)/],
    [{ maxBufferedRecords: '5' }, /option maxBufferedRecords must be a positive integer \(got "5"\)/],
    [{ maxBufferedBytes: Number.NaN }, /option maxBufferedBytes/],
    [{ compression: 'snappy' }, /option compression must be 'none' or 'gzip' or 'zstd' \(got "snappy"\)/],
    [{ signal: true }, /option signal must be an AbortSignal \(got true\)/]
  ]
  for (const [options, message] of cases)
    await assert.rejects(createProducer(connection, options as ProducerOptions), { code: 'INVALID_OPTION', message })
  const producer = await createProducer(connection)
  await assert.rejects(producer.send([record], { signal: 7 as never }), { code: 'INVALID_OPTION' })
  await producer.close()
})
