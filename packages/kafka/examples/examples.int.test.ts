import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { propagation } from '@opentelemetry/api'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import {
  checkConnection,
  createProducer,
  createTopics,
  deadLetterTopic,
  type OutputRecord,
  type Stage,
  type Topic
} from '@orderly/kafka'
import { readCommitted } from '@orderly/kafka/testing'
import { waitUntil } from '@orderly/launcher'
import { integrationEnvironment, startBroker } from '@orderly/launcher/testing'
import { Pool } from 'pg'
import { Registry } from 'prom-client'
import { bearerSettings, unsignedToken } from '../testing/bearer-tokens.ts'
import { createReadingCodec, jsonReadings, type Reading, startNormalizing, textReadings } from './codecs.ts'
import {
  amounts,
  doubledTopic,
  listDeadLetters,
  operationsTopic,
  replayDeadLetters,
  startDoubling
} from './dead-letters.ts'
import { type Order, orders, outputTopics, startFanOut } from './fan-out.ts'
import { clicks, startViews, viewsTopic } from './observability.ts'
import { measurements, startWatermarks, watermarksTopic } from './periodic-output.ts'
import { offers, pricesTopic, startPrices } from './porting-from-kafkajs.ts'
import { balanceStage, balancesTopic, type Deposit, deposits, schema, startBalances } from './postgres.ts'
import { bearerConnection, scramConnection } from './secure-connections.ts'
import { payments, receipts, startTransform } from './transform.ts'

const environment = integrationEnvironment()
const connection = { brokers: environment.kafkaBrokers, clientID: 'examples' }
const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

/** Creates the inputs of a stage with their dead-letter topics, which it needs, and its outputs. */
const create = (inputs: readonly string[], outputs: readonly string[], partitions = 2) =>
  createTopics(
    connection,
    [...inputs, ...inputs.map(deadLetterTopic), ...outputs].map(name => ({ name, partitions, replicationFactor: 1 }))
  )

/** Writes one event for each key. */
async function write<Event>({ name, codec }: Topic<Event>, events: Readonly<Record<string, Event>>): Promise<void> {
  await send(
    Object.entries(events).map(([key, event]) => ({ topic: name, key, value: codec.encode(event), headers: {} }))
  )
}

async function send(records: readonly OutputRecord[]): Promise<void> {
  const producer = await createProducer(connection)
  await producer.send(records)
  await producer.close()
}

/** Returns `key value` of the first records of a topic, sorted. */
async function read(topic: string, count: number): Promise<string[]> {
  const records = await readCommitted(connection, topic, found => found.length >= count)
  return records.map(({ key, value }) => `${key} ${value}`).toSorted()
}

function stopAfter(t: TestContext, running: { stop(): Promise<void> }): void {
  t.after(() => running.stop())
}

test('transform: each payment has one receipt', async t => {
  await create([payments.name], [receipts.name])
  stopAfter(t, startTransform(connection, silent))
  await write(payments, { ada: { id: 'p1', cents: 1_250 }, bob: { id: 'p2', cents: 99 } })
  assert.deepEqual(await read(receipts.name, 2), [
    'ada {"paymentID":"p1","text":"Thank you for 12.50 EUR."}',
    'bob {"paymentID":"p2","text":"Thank you for 0.99 EUR."}'
  ])
})

test('fan-out: an order is written to all topics, with their keys', async t => {
  await create([orders.name], Object.values(outputTopics))
  stopAfter(t, startFanOut(connection, silent))
  const items = ['tea', 'cup'].map(sku => ({ sku, quantity: 2 }))
  await write<Order>(orders, { ada: { id: 'o1', address: 'Cambridge', items } })
  assert.deepEqual(await read(outputTopics.shipping, 1), ['ada {"id":"o1","address":"Cambridge"}'])
  assert.deepEqual(await read(outputTopics.stock, 2), [
    'cup {"id":"o1","sku":"cup","change":-2}',
    'tea {"id":"o1","sku":"tea","change":-2}'
  ])
  assert.match((await read(outputTopics.audit, 1)).join(), /^ada .*"source":"fan-out\.orders\/\d\/0"/)
})

test('postgres: a batch that is processed again after its commit to Postgres changes nothing', async t => {
  const pool = new Pool({ connectionString: await environment.databaseURL() })
  t.after(() => pool.end())
  await pool.query(schema)
  await create([deposits.name], [balancesTopic])
  const stage = balanceStage(pool)
  let attempts = 0
  const losingTheFirstAnswer: Stage<Deposit> = {
    ...stage,
    async process(records, context) {
      const outputs = await stage.process(records, context)
      if (++attempts === 1) throw new Error('connection terminated')
      return outputs
    }
  }
  stopAfter(t, startBalances(losingTheFirstAnswer, connection, silent))
  const value = (id: string, cents: number) => deposits.codec.encode({ id, account: 'ada', cents })
  const [first, second] = [value('d1', 500), value('d2', 250)]
  await send([first, second].map(value => ({ topic: deposits.name, key: 'ada', value, headers: {} })))
  assert.deepEqual(await read(balancesTopic, 2), ['ada 500', 'ada 750'])
  assert.ok(attempts >= 2)
  const { rows } = await pool.query('SELECT account, cents FROM accounts.balances')
  assert.deepEqual(rows, [{ account: 'ada', cents: '750' }])
})

test('periodic output: watermarks grow without new records', async t => {
  await create([measurements.name], [watermarksTopic], 1)
  stopAfter(t, startWatermarks(connection, silent))
  await write(measurements, { sensor: Buffer.from('1') })
  const writtenMs = Date.now()
  const watermark = ({ value }: { readonly value: Buffer }) =>
    JSON.parse(String(value)) as { readonly offset: number; readonly completeUntilMs: number }
  const isPassed = (record: { readonly value: Buffer }) => watermark(record).completeUntilMs > writtenMs
  const records = await readCommitted(connection, watermarksTopic, found => found.filter(isPassed).length >= 2)
  const passed = records.filter(isPassed).map(watermark)
  assert.ok(passed.every(({ offset }) => offset >= 1))
  const times = passed.map(({ completeUntilMs }) => completeUntilMs)
  assert.deepEqual(times, times.toSorted())
})

test('dead letters: a key is blocked until a replay after the repair, which keeps its order', async t => {
  await create([amounts.name], [doubledTopic, operationsTopic])
  const strict = (text: string) => (Number.isNaN(Number(text)) ? assert.fail(`not a number: ${text}`) : Number(text))
  const broken = startDoubling(strict, connection, silent)
  stopAfter(t, broken)
  const toAda = (text: string) => ({ topic: amounts.name, key: 'ada', value: Buffer.from(text), headers: {} })
  await send([toAda('1'), toAda('two'), toAda('3'), { ...toAda('4'), key: 'bob' }])
  assert.deepEqual(await read(doubledTopic, 2), ['ada 2', 'bob 8'])
  await readCommitted(connection, deadLetterTopic(amounts.name), found => found.length >= 2)
  const [ada, ...others] = await listDeadLetters(connection, t.signal)
  assert.deepEqual(others, [])
  assert.deepEqual(
    ada?.deadLetters.map(({ code }) => code),
    ['ERR_ASSERTION', 'KEY_BLOCKED']
  )
  await broken.stop()

  stopAfter(
    t,
    startDoubling(text => (text === 'two' ? 2 : strict(text)), connection, silent)
  )
  const { replayed, answers } = await replayDeadLetters(connection, 'words are amounts as well', t.signal)
  assert.equal(replayed, 2)
  assert.deepEqual(
    answers.map(({ answer }) => answer),
    ['released']
  )
  const records = await readCommitted(connection, doubledTopic, found => found.length >= 4)
  assert.deepEqual(
    records.filter(({ key }) => key === 'ada').map(({ value }) => String(value)),
    ['2', '4', '6']
  )
})

test('codecs: text, JSON and Avro are read, and invalid values become dead letters', async t => {
  const subject = (name: string) => createReadingCodec(environment.registryURL, `${name}-value`)
  const topicOf = async (name: string) => ({ name, eventType: 'Reading', codec: await subject(name) })
  const [input, output] = [await topicOf('codecs.avro'), await topicOf('codecs.normalized')]
  await create([textReadings.name, jsonReadings.name, input.name], [output.name])
  stopAfter(t, startNormalizing({ input, output }, connection, silent))
  await write(textReadings, { a: 'hall=20.5' })
  await write<Reading>(jsonReadings, { b: { sensor: 'attic', celsius: 31 }, c: { sensor: 7 } as never })
  await write<Reading>(input, { d: { sensor: 'cellar', celsius: 12 } })
  const records = await readCommitted(connection, output.name, found => found.length >= 3)
  await output.codec.prepare(records.map(({ value }) => value))
  const readings = records.map(({ key, value }) => ({ key, ...output.codec.decode(value) }))
  assert.deepEqual(
    readings.toSorted((a, b) => a.key.localeCompare(b.key)),
    [
      { key: 'a', sensor: 'hall', celsius: 20.5 },
      { key: 'b', sensor: 'attic', celsius: 31 },
      { key: 'd', sensor: 'cellar', celsius: 12 }
    ]
  )
  const isDead = (found: readonly unknown[]) => found.length >= 1
  const [dead] = await readCommitted(connection, deadLetterTopic(jsonReadings.name), isDead)
  assert.equal(dead?.headers['dlq-code'], 'UNREADABLE')
  assert.match(dead?.headers['dlq-reason'] ?? '', /sensor or celsius is missing/)
})

test('observability: records and commits are counted, and outputs continue the trace of their input', async t => {
  propagation.setGlobalPropagator(new W3CTraceContextPropagator())
  t.after(() => propagation.disable())
  const exporter = new InMemorySpanExporter()
  const provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] })
  const registry = new Registry()
  await create([clicks.name], [viewsTopic])
  stopAfter(t, startViews({ tracer: provider.getTracer('examples'), registry }, connection, silent))
  const traceID = '4bf92f3577b34da6a3ce929d0e0e4736'
  const value = clicks.codec.encode({ page: '/tea' })
  await send([{ topic: clicks.name, key: 'ada', value, headers: { traceparent: `00-${traceID}-00f067aa0ba902b7-01` } }])
  const [view] = await readCommitted(connection, viewsTopic, found => found.length >= 1)
  const span = exporter.getFinishedSpans().at(-1)
  assert.equal(span?.spanContext().traceId, traceID)
  assert.equal(view?.headers.traceparent, `00-${traceID}-${span?.spanContext().spanId}-01`)
  const isCounted = async () => (await registry.metrics()).includes('stage_records_total 1')
  await waitUntil(isCounted, { what: 'the count of the committed record', deadlineMs: 30_000 })
  assert.match(await registry.metrics(), /stage_commit_seconds_count 1/)
})

test('secure connections: SCRAM over TLS is accepted, and a wrong password refused with a reason', async t => {
  const { secure } = await startBroker(t, { users: { billing: 'correct-horse' } })
  assert.ok(secure)
  assert.equal(await checkConnection(scramConnection(secure.brokers, 'correct-horse', secure.certificate)), 1)
  const wrong = scramConnection(secure.brokers, 'wrong', secure.certificate)
  await assert.rejects(checkConnection(wrong), { code: 'AUTHENTICATION_FAILED' })
})

test('secure connections: a bearer token of an identity provider is accepted, and kept for later connections', async t => {
  const { secure } = await startBroker(t, { users: { shop: 'unused' }, settings: bearerSettings })
  assert.ok(secure)
  const asked: (string | undefined)[] = []
  const provider = createServer((request, response) => {
    asked.push(request.headers.authorization)
    response.end(JSON.stringify({ access_token: unsignedToken(600), token_type: 'Bearer', expires_in: 600 }))
  })
  await new Promise<void>(resolve => provider.listen(0, '127.0.0.1', resolve))
  t.after(() => provider.close())
  const tokenURL = `http://127.0.0.1:${(provider.address() as AddressInfo).port}/token`
  const login = bearerConnection(secure.brokers, { tokenURL, id: 'shop', secret: 's3cret' }, secure.certificate)
  for (const _ of [1, 2]) assert.equal(await checkConnection(login), 1)
  assert.deepEqual(asked, [`Basic ${Buffer.from('shop:s3cret').toString('base64')}`])
})

test('porting from kafkajs: prices are written once', async t => {
  await create([offers.name], [pricesTopic])
  stopAfter(t, startPrices(connection, silent))
  await write(offers, { tea: { article: 'tea', cents: 690 } })
  assert.deepEqual(await read(pricesTopic, 1), ['tea tea 690'])
})
