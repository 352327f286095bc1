import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { stringCodec } from '../codecs/plain-codecs.ts'
import { deadLetterTopic } from '../dead-letters/topics.ts'
import type { OutputRecord } from '../records.ts'
import type { Stage } from '../stage/stage.ts'
import type { BrokerUnderTest } from './broker-contract.ts'
import type { RecordedRecord } from './in-memory-broker.ts'
import type { InMemoryStageOptions } from './in-memory-stage.ts'

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
const partitions = 4

/**
 * Tests how a stage starts in a new group, pauses, stops and reports its health; run against the
 * in-memory broker and against Kafka.
 */
export function testStageControlContract(
  brokerName: string,
  connect: (t: TestContext) => Promise<BrokerUnderTest>
): void {
  const setUp = async (t: TestContext) => {
    const broker = await connect(t)
    const [input, output] = [`in-${randomUUID()}`, `out-${randomUUID()}`]
    await broker.createTopics([input, output, deadLetterTopic(input)])
    const producer = await broker.producer()
    t.after(() => producer.close())
    const write = (value: string, more: Partial<OutputRecord> = {}) =>
      producer.send([{ topic: input, key: 'k', value: Buffer.from(value), headers: {}, ...more }])
    const upperCase: Stage<string>['process'] = async records =>
      records.map(({ event }) => ({ topic: output, key: 'k', value: Buffer.from(event.toUpperCase()), headers: {} }))
    const start = (options: Partial<InMemoryStageOptions> = {}, process = upperCase) => {
      const inputs = [{ name: input, eventType: 'Text', codec: stringCodec }]
      const stage = broker.runStage(
        { name: 'controlled', group: `group-${input}`, inputs, process },
        { isTransient: error => (error as { transient?: boolean }).transient === true, logger: silent, ...options }
      )
      t.after(() => stage.stop({ force: true }))
      return stage
    }
    const outputs = async (count: number) => values(await broker.read(output, count))
    return { broker, producer, input, output, write, start, upperCase, outputs }
  }

  test(`${brokerName}: a new group that starts at the latest records skips the earlier ones, and no later ones`, async t => {
    const { broker, producer, input, write, start, outputs } = await setUp(t)
    for (let partition = 0; partition < partitions; partition++) await write('early', { partition })
    const first = start({ startAt: 'latest' })
    await until(() => first.health().state === 'working')
    await write('a')
    assert.deepEqual(await outputs(1), ['A'])
    await first.stop()
    await write('b')
    // The records of an added partition are not processed yet, so they are not skipped.
    await broker.growTopic(input, partitions + 1)
    producer.forgetFacts()
    await write('c', { partition: partitions })
    start({ startAt: 'latest' })
    assert.deepEqual((await outputs(3)).toSorted(), ['A', 'B', 'C'])
  })

  test(`${brokerName}: a group without offsets that must have some ends with an error that names the partitions`, async t => {
    const { input, write, start, outputs } = await setUp(t)
    await write('a')
    const refused = start({ startAt: 'none' })
    await assert.rejects(refused.finished, (error: Error & { code?: string }) => {
      assert.equal(error.code, 'NO_COMMITTED_OFFSET')
      assert.match(error.message, new RegExp(`${input}/0.*startAt is 'none'`))
      return true
    })
    assert.equal(refused.health().state, 'failed')
    assert.equal(refused.health().lastError?.code, 'NO_COMMITTED_OFFSET')
    const earliest = start({ startAt: 'earliest' })
    for (let partition = 0; partition < partitions; partition++) await write('b', { partition })
    await outputs(partitions + 1)
    await earliest.stop()
    start({ startAt: 'none' })
    await write('c')
    assert.equal((await outputs(partitions + 2)).filter(text => text === 'C').length, 1)
  })

  test(`${brokerName}: a paused stage processes nothing and keeps its partitions until it is resumed`, async t => {
    const { broker, input, write, start, outputs, upperCase } = await setUp(t)
    const processed: string[] = []
    const stage = start({}, async (records, context) => {
      processed.push(...records.map(({ event }) => event))
      return upperCase(records, context)
    })
    await write('a')
    await outputs(1)
    await stage.pause()
    assert.equal(stage.health().state, 'paused')
    await write('b')
    await broker.read(input, 2)
    await stage.pause()
    assert.deepEqual(processed, ['a'])
    assert.equal(stage.health().partitions.length, partitions)
    assert.ok(stage.isReady())
    stage.resume()
    assert.deepEqual(await outputs(2), ['A', 'B'])
    await until(() => stage.health().state === 'working')
  })

  test(`${brokerName}: a pause waits for the batch in flight, and a paused stage can be stopped`, async t => {
    const { write, start, outputs, upperCase } = await setUp(t)
    const [begun, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const stage = start({}, async (records, context) => {
      begun.resolve()
      await released.promise
      return upperCase(records, context)
    })
    await write('a')
    await begun.promise
    let isPaused = false
    const pausing = stage.pause().then(() => {
      isPaused = true
    })
    await delay(1)
    assert.equal(isPaused, false)
    released.resolve()
    await pausing
    assert.deepEqual(await outputs(1), ['A'])
    await stage.stop()
    assert.equal(stage.health().state, 'stopped')
  })

  test(`${brokerName}: an aborted signal stops a stage gracefully, also before it has begun`, async t => {
    const { write, start, outputs } = await setUp(t)
    const aborting = new AbortController()
    const stage = start({ signal: aborting.signal })
    await write('a')
    await outputs(1)
    aborting.abort()
    await stage.finished
    assert.equal(stage.health().state, 'stopped')
    const never = start({ signal: AbortSignal.abort() })
    await never.finished
    assert.equal(never.health().state, 'stopped')
  })

  test(`${brokerName}: a forced stop does not wait for processing, and the next stage outputs each record once`, async t => {
    const { write, start, outputs, upperCase } = await setUp(t)
    const [begun, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const ended = Promise.withResolvers<void>()
    const hanging = start({}, async (records, context) => {
      if (records.every(({ event }) => event !== 'b')) return upperCase(records, context)
      begun.resolve()
      await released.promise
      setImmediate(ended.resolve)
      return upperCase(records, context)
    })
    await write('a')
    await outputs(1)
    await write('b')
    await begun.promise
    const stopping = hanging.stop()
    await hanging.stop({ force: true })
    await stopping
    assert.equal(hanging.health().state, 'stopped')
    // Outputs that the former stage returns late must have no effect.
    released.resolve()
    await ended.promise
    start()
    await write('c')
    assert.deepEqual(await outputs(3), ['A', 'B', 'C'])
  })

  test(`${brokerName}: the health of a stage has its partitions, its progress and its last error`, async t => {
    const { write, start, outputs, upperCase } = await setUp(t)
    let failuresLeft = 1
    const beganAtMs = Date.now()
    const stage = start({}, async (records, context) => {
      if (failuresLeft-- > 0) throw Object.assign(new Error('database away'), { transient: true, code: 'AWAY' })
      return upperCase(records, context)
    })
    await write('a')
    await outputs(1)
    await until(() => (stage.health().progressAtMs ?? 0) >= beganAtMs)
    const { state, partitions: assigned, lastError } = stage.health()
    assert.equal(state, 'working')
    assert.deepEqual(
      assigned.map(({ partition }) => partition).toSorted((a, b) => a - b),
      Array.from({ length: partitions }, (_, partition) => partition)
    )
    await until(() => stage.health().partitions.every(({ lag }) => lag !== undefined && lag <= 1))
    assert.deepEqual([lastError?.code, lastError?.message], ['AWAY', 'database away'])
    assert.ok((lastError?.atMs ?? 0) >= beganAtMs)
  })

  for (const compression of ['gzip', 'zstd'] as const) {
    test(`${brokerName}: outputs with the compression ${compression} are read as they were written`, async t => {
      const { write, start, outputs } = await setUp(t)
      const texts = Array.from({ length: 20 }, (_, index) => `text ${index} `.repeat(50))
      start({ compression })
      for (const text of texts) await write(text)
      assert.deepEqual(
        await outputs(texts.length),
        texts.map(text => text.toUpperCase())
      )
    })
  }

  test(`${brokerName}: unusable options are refused at the call, with their names`, async t => {
    const { start } = await setUp(t)
    const cases: [object, RegExp][] = [
      [{ startAt: 'beginning' }, /option startAt must be 'earliest' or 'latest' or 'none' \(got "beginning"\)/],
      [{ compression: 'lz4' }, /option compression must be 'none' or 'gzip' or 'zstd'/],
      [{ maxBatchRecords: 0 }, /option maxBatchRecords must be a positive integer \(got 0\)/],
      [{ maxBatchBytes: 1.5 }, /option maxBatchBytes/],
      [{ limits: { recordBytes: -1 } }, /option limits\.recordBytes/],
      [{ isTransient: true }, /option isTransient must be a function \(got true\)/],
      [{ signal: {} }, /option signal must be an AbortSignal/],
      [{ logger: {} }, /option logger\.debug must be a function/]
    ]
    for (const [options, message] of cases)
      assert.throws(() => start(options), { name: 'KafkaError', code: 'INVALID_OPTION', message })
    assert.throws(() => start({}, 'upperCase' as never), { message: /option stage\.process must be a function/ })
  })
}

const values = (records: readonly RecordedRecord[]) => records.map(({ value }) => value.toString())

async function until(isTrue: () => boolean): Promise<void> {
  for (const deadlineMs = Date.now() + 60_000; !isTrue(); await delay(5))
    assert.ok(Date.now() < deadlineMs, `not true within a minute: ${isTrue}`)
}
