import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { OutputRecord, Stage } from '@orderly/kafka'
import { createInMemoryBroker, textCodec } from '@orderly/kafka/testing'
import { createMetrics } from '../metrics/registry.ts'
import { stageObserver } from '../metrics/stage-observer.ts'
import { recordSpans } from '../testing/index.ts'
import type { FinishedSpan } from './spans.ts'
import { childTraceparent, newTraceparent, parseTraceparent } from './trace-context.ts'
import { traceProducer } from './trace-producer.ts'
import { traceStage } from './trace-stage.ts'

const logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
const input = { name: 'in', eventType: 'Text', codec: textCodec }

/** Copies each record to `out` with a child context, as the services do. */
const passOn: Stage<string> = {
  name: 'pass-on',
  group: 'passing-on',
  inputs: [input],
  process: async records =>
    records.map(({ event, key, headers }): OutputRecord => {
      if (event === 'poison') throw Object.assign(new Error('cannot be read'), { code: 'POISON' })
      return {
        topic: 'out',
        key,
        value: Buffer.from(event),
        headers: { traceparent: childTraceparent(headers.text('traceparent')) }
      }
    })
}

const recordOf = (value: string, traceparent: string): OutputRecord => ({
  topic: 'in',
  key: 'ada',
  value: Buffer.from(value),
  headers: { traceparent, 'event-id': `Text-${value}` }
})

/** Sends the records through a traced producer and a traced stage. */
async function run(t: TestContext, records: readonly OutputRecord[]) {
  const spans = recordSpans()
  const broker = createInMemoryBroker()
  const { promise, resolve } = Promise.withResolvers<void>()
  let left = records.length
  const observer = stageObserver(createMetrics('test'))
  const counting: typeof observer = {
    ...observer,
    committed(event) {
      observer.committed(event)
      left -= event.records
      if (left === 0) resolve()
    }
  }
  await traceProducer({ ...broker.producer(), close: async () => {} }, spans).send(records)
  const traced = traceStage(passOn, counting, spans)
  const stage = broker.runStage(traced.stage, { isTransient: () => false, logger, observer: traced.observer })
  t.after(() => stage.stop())
  await Promise.race([promise, stage.finished])
  await stage.stop()
  return { spans: spans.recorded, broker }
}

const named = (spans: readonly FinishedSpan[], name: string) => spans.filter(span => span.name === name)
const traceOf = (traceparent: string | undefined) => parseTraceparent(traceparent)?.traceID

test('each record has a chain of spans: send, process, send of the output', async t => {
  const requests = [newTraceparent(), newTraceparent()]
  const { spans, broker } = await run(
    t,
    requests.map((request, index) => recordOf(`text ${index}`, request))
  )
  for (const [index, request] of requests.entries()) {
    const own = spans.filter(({ traceparent }) => traceOf(traceparent) === traceOf(request))
    const [sent, processed, passedOn] = ['send in', 'process in', 'send out'].map(name => named(own, name)[0])
    assert.equal(own.length, 3)
    assert.equal(sent?.parent, request)
    assert.equal(processed?.parent, sent?.traceparent)
    assert.equal(passedOn?.parent, processed?.traceparent)
    assert.deepEqual([sent?.kind, processed?.kind, passedOn?.kind], ['producer', 'consumer', 'producer'])
    assert.equal(processed?.attributes['messaging.message.id'], `Text-text ${index}`)
    const out = broker.records('out').find(({ headers }) => traceOf(headers.traceparent) === traceOf(request))
    assert.equal(out?.headers.traceparent, passedOn?.traceparent)
  }
})

test('the span of a batch and the spans of its records link to each other, and its commit is its child', async t => {
  const { spans } = await run(t, [recordOf('one', newTraceparent()), recordOf('two', newTraceparent())])
  const [batch, ...others] = named(spans, 'process passing-on')
  assert.equal(others.length, 0)
  assert.equal(batch?.parent, undefined)
  assert.equal(batch?.attributes['messaging.batch.message_count'], 2)
  assert.deepEqual(new Set(batch?.links), new Set(named(spans, 'send in').map(({ traceparent }) => traceparent)))
  for (const { links } of named(spans, 'process in')) assert.deepEqual(links, [batch?.traceparent])
  assert.equal(named(spans, 'commit passing-on')[0]?.parent, batch?.traceparent)
})

test('a poison record marks a failed span in its own trace only', async t => {
  const [good, bad] = [newTraceparent(), newTraceparent()]
  const { spans } = await run(t, [recordOf('fine', good), recordOf('poison', bad)])
  const failed = spans.filter(({ error }) => error !== undefined)
  assert.deepEqual(
    failed.map(({ name, traceparent }) => [name, traceOf(traceparent)]),
    [['process in', traceOf(bad)]]
  )
  assert.equal(named(spans, 'send out').length, 1)
})

test('an unsampled record leaves no span, and its output is unsampled', async t => {
  const { spans, broker } = await run(t, [recordOf('quiet', newTraceparent().replace(/01$/, '00'))])
  assert.deepEqual(spans, [])
  assert.match(broker.records('out')[0]?.headers.traceparent ?? '', /-00$/)
})

test('without a recorder, stage and producer are returned unchanged', () => {
  const observer = {}
  assert.deepEqual(traceStage(passOn, observer, undefined), { stage: passOn, observer })
  const producer = { send: async () => {}, forgetFacts: () => {}, close: async () => {} }
  assert.equal(traceProducer(producer, undefined), producer)
})
