import assert from 'node:assert/strict'
import { randomBytes, randomUUID } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { addHeaders } from '../dead-letters/headers.ts'
import { deadLetterTopic } from '../dead-letters/topics.ts'
import type { Producer } from '../producer/producer.ts'
import type { Codec, HeaderField, Logger, Topic } from '../records.ts'
import type { RunningStage, Stage, StageOptions, TickContext } from '../stage/stage.ts'
import type { RecordedRecord } from './in-memory-broker.ts'
import type { InMemoryStageOptions } from './in-memory-stage.ts'
import { textCodec } from './text-codec.ts'

/** Interface of a broker, real or in memory, to which the contract test is applied. */
export interface BrokerUnderTest {
  /** Creates topics. @param maxMessageBytes size of the largest batch that each topic accepts */
  createTopics(names: readonly string[], maxMessageBytes?: Readonly<Record<string, number>>): Promise<void>
  growTopic(name: string, partitions: number): Promise<void>
  /** Removes the records before the offset, as retention does. */
  deleteRecords(place: { readonly topic: string; readonly partition: number }, offset: bigint): Promise<void>
  producer(): Promise<Producer>
  runStage<Event>(stage: Stage<Event>, options: InMemoryStageOptions): RunningStage
  /** Returns the committed records, once there are at least `count`. */
  read(topic: string, count: number): Promise<RecordedRecord[]>
}

const silent: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

/**
 * Codec of text whose values decide their fate: those that start with "broken" cannot be decoded.
 */
const fragileCodec: Codec<string> = {
  ...textCodec,
  decode: (bytes, start, end) => {
    const text = textCodec.decode(bytes, start, end)
    if (text.startsWith('broken')) throw Object.assign(new Error('cannot be read'), { code: 'UNREADABLE' })
    return text
  }
}

const textTopic = (name: string): Topic<string> => ({ name, eventType: 'Text', codec: fragileCodec })

/**
 * Tests the guarantees of a broker to producers and stages; run against the in-memory broker and
 * against Kafka.
 */
export function testBrokerContract(brokerName: string, connect: (t: TestContext) => Promise<BrokerUnderTest>): void {
  const setUp = async (t: TestContext, limits: { readonly deadLetters?: number; readonly output?: number } = {}) => {
    const broker = await connect(t)
    const [input, output] = [`in-${randomUUID()}`, `out-${randomUUID()}`]
    await broker.createTopics([input, output, deadLetterTopic(input)], {
      ...(limits.deadLetters && { [deadLetterTopic(input)]: limits.deadLetters }),
      ...(limits.output && { [output]: limits.output })
    })
    const producer = await broker.producer()
    t.after(() => producer.close())
    const sendRecords = producer.send.bind(producer)
    const write = (values: readonly string[], key = 'k') =>
      producer.send(
        values.map(value => ({ topic: input, key, value: Buffer.from(value), headers: { 'event-id': value } }))
      )
    const start = (
      process: Stage<string>['process'],
      options: Partial<StageOptions> = {},
      more: Pick<Partial<Stage<string>>, 'tick' | 'recordsInACall'> = {}
    ) => {
      const stage = broker.runStage(
        { name: 'contract', group: `group-${input}`, inputs: [textTopic(input)], process, ...more },
        { isTransient: error => (error as { transient?: boolean }).transient === true, logger: silent, ...options }
      )
      t.after(() => stage.stop())
      return stage
    }
    const upperCase: Stage<string>['process'] = async records =>
      records.map(({ key, event, headers }) => ({
        topic: output,
        key,
        value: Buffer.from(event.toUpperCase()),
        headers: headers.toObject()
      }))
    return { broker, input, output, sendRecords, write, start, upperCase }
  }
  const values = (records: readonly RecordedRecord[]) => records.map(({ value }) => value.toString())

  test(`${brokerName}: records of one key are in one partition, in the order of sending`, async t => {
    const { broker, input, write } = await setUp(t)
    await write(['1', '2'])
    await write(['3'])
    const records = await broker.read(input, 3)
    assert.deepEqual(values(records), ['1', '2', '3'])
    assert.equal(new Set(records.map(({ partition }) => partition)).size, 1)
    assert.equal(records[0]?.headers['event-id'], '1')
  })

  test(`${brokerName}: a stage writes the outputs of every input once, with their keys, in order`, async t => {
    const { broker, output, write, start, upperCase } = await setUp(t)
    const sent = Array.from({ length: 100 }, (_, index) => `value-${String(index).padStart(3, '0')}`)
    await write(sent)
    start(upperCase, { maxBatchRecords: 7 })
    const records = await broker.read(output, sent.length)
    assert.deepEqual(
      values(records),
      sent.map(value => value.toUpperCase())
    )
    assert.ok(records.every(({ key }) => key === 'k'))
  })

  test(`${brokerName}: a restarted stage neither repeats nor skips a record`, async t => {
    const { broker, output, write, start, upperCase } = await setUp(t)
    await write(['a', 'b'])
    const first = start(upperCase)
    await broker.read(output, 2)
    await first.stop()
    await write(['c'])
    start(upperCase)
    assert.deepEqual(values(await broker.read(output, 3)), ['A', 'B', 'C'])
  })

  test(`${brokerName}: a record that cannot be decoded is dead-lettered with the reason and its position, and the others continue`, async t => {
    const { broker, input, output, write, start, upperCase } = await setUp(t)
    await write(['a', 'broken'])
    await write(['b'], 'other')
    start(upperCase)
    assert.deepEqual(values(await broker.read(output, 2)).toSorted(), ['A', 'B'])
    const [deadLettered, ...others] = await broker.read(deadLetterTopic(input), 1)
    assert.deepEqual(others, [])
    assert.equal(deadLettered?.value.toString(), 'broken')
    assert.equal(deadLettered?.key, 'k')
    const {
      'dlq-code': code,
      'dlq-reason': reason,
      'dlq-topic': topic,
      'dlq-offset': offset,
      'event-id': eventID
    } = deadLettered?.headers ?? {}
    assert.deepEqual(
      { code, reason, topic, offset, eventID },
      { code: 'UNREADABLE', reason: 'cannot be read', topic: input, offset: '1', eventID: 'broken' }
    )
  })

  test(`${brokerName}: a dead letter has the key, the value and the headers of its record byte for byte`, async t => {
    const { broker, input, sendRecords, start, upperCase } = await setUp(t)
    const value = Buffer.concat([Buffer.from('broken '), Buffer.from([0xff, 0xfe, 0])])
    const headers: readonly HeaderField[] = [
      ['a', '1'],
      ['dlq-reason', 'a header of the record itself'],
      ['a', null],
      [Buffer.from([0xff]), Buffer.from([0x80, 0])],
      ['a', '1']
    ]
    const keys = [null, Buffer.alloc(0), Buffer.from([0xc3, 0x28]), Buffer.alloc(3_000, 0xee)]
    await sendRecords(keys.map(key => ({ topic: input, key, value, headers })))
    start(upperCase)
    const deadLettered = await broker.read(deadLetterTopic(input), keys.length)
    const expected = headers.map(([name, content]) => [Buffer.from(name), content && Buffer.from(content)])
    for (const { bytes } of deadLettered) {
      assert.deepEqual(bytes.value, value)
      assert.deepEqual(bytes.headers.slice(0, headers.length), expected)
    }
    const found = deadLettered.map(({ bytes }) => bytes.key?.toString('hex') ?? null)
    const [, , , long] = keys as Buffer[]
    for (const key of keys.slice(0, 3)) assert.ok(found.includes(key?.toString('hex') ?? null))
    const [ofLong] = deadLettered.filter(({ headers }) => headers['dlq-key'] !== undefined)
    assert.equal(deadLettered.filter(({ headers }) => headers['dlq-key'] !== undefined).length, 1)
    assert.deepEqual(ofLong?.bytes.headers.find(([name]) => String(name) === 'dlq-key')?.[1], long)
    assert.ok((ofLong?.bytes.key?.length ?? 0) < 1_000)
  })

  test(`${brokerName}: a dead letter that its topic rejects is reduced, its key is blocked, and other keys continue`, async t => {
    const { broker, input, output, write, start, upperCase } = await setUp(t, { deadLetters: 1_500 })
    const large = `broken ${randomBytes(2_000).toString('hex')}`
    await write(['a', large, 'b'])
    await write(['c'], 'other')
    start(upperCase)
    assert.deepEqual(values(await broker.read(output, 2)).toSorted(), ['A', 'C'])
    const [reduced, follower] = await broker.read(deadLetterTopic(input), 2)
    const { 'dlq-reduced': why, 'dlq-value-bytes': bytes, 'dlq-offset': offset } = reduced?.headers ?? {}
    assert.deepEqual(
      { key: reduced?.key, value: reduced?.bytes.value, why, bytes, offset },
      { key: 'k', value: null, why: 'MESSAGE_TOO_LARGE', bytes: String(large.length), offset: '1' }
    )
    assert.deepEqual([String(follower?.value), follower?.headers['dlq-code']], ['b', 'KEY_BLOCKED'])
  })

  test(`${brokerName}: an input whose output is rejected by its topic is dead-lettered, and the others continue`, async t => {
    const { broker, input, output, write, start, upperCase } = await setUp(t, { output: 1_500 })
    for (const value of ['a', 'b', 'inflate', 'c', 'd']) await write([value], `key of ${value}`)
    start(async (records, context) =>
      (await upperCase(records, context)).map(record =>
        String(record.value) === 'INFLATE' ? { ...record, value: randomBytes(3_000) } : record
      )
    )
    assert.deepEqual(values(await broker.read(output, 4)).toSorted(), ['A', 'B', 'C', 'D'])
    const [deadLettered] = await broker.read(deadLetterTopic(input), 1)
    assert.deepEqual([String(deadLettered?.value), deadLettered?.headers['dlq-code']], ['inflate', 'MESSAGE_TOO_LARGE'])
  })

  test(`${brokerName}: a record without a key neither blocks others nor is blocked`, async t => {
    const { broker, input, output, sendRecords, start } = await setUp(t)
    const send = (text: string, key: Buffer | null) =>
      sendRecords([{ topic: input, key, partition: 0, value: Buffer.from(text), headers: {} }])
    for (const text of ['broken 1', 'broken 2']) await send(text, null)
    await send('broken 3', Buffer.alloc(0))
    await send('a', null)
    await send('behind the empty key', Buffer.alloc(0))
    await send('b', Buffer.from('k'))
    start(async records =>
      records.map(({ event }) => ({ topic: output, key: 'k', value: Buffer.from(event), headers: {} }))
    )
    assert.deepEqual(values(await broker.read(output, 1)), ['b'])
    const deadLettered = await broker.read(deadLetterTopic(input), 5)
    assert.deepEqual(deadLettered.map(({ value, headers }) => `${value}: ${headers['dlq-code']}`).toSorted(), [
      'a: Error',
      'behind the empty key: KEY_BLOCKED',
      'broken 1: Error',
      'broken 2: Error',
      'broken 3: UNREADABLE'
    ])
  })

  test(`${brokerName}: keys are equal only if their bytes are`, async t => {
    const { broker, input, output, sendRecords, start, upperCase } = await setUp(t)
    // Decoded as UTF-8, both keys are the replacement character U+FFFD.
    const [one, other] = [Buffer.from([0xff]), Buffer.from([0xfe])]
    const long = (end: string) => Buffer.concat([Buffer.alloc(2_000, 'k'), Buffer.from(end)])
    const send = (text: string, key: Buffer) =>
      sendRecords([{ topic: input, key, partition: 0, value: Buffer.from(text), headers: {} }])
    await send('broken', one)
    await send('broken too', long('1'))
    await send('a', other)
    await send('b', long('2'))
    await send('behind it', one)
    await send('behind it too', long('1'))
    start(upperCase)
    assert.deepEqual(values(await broker.read(output, 2)).toSorted(), ['A', 'B'])
    const deadLettered = values(await broker.read(deadLetterTopic(input), 4))
    assert.deepEqual(deadLettered.toSorted(), ['behind it', 'behind it too', 'broken', 'broken too'])
  })

  test(`${brokerName}: a record that makes processing fail is found in its batch and is the only one dead-lettered`, async t => {
    const { broker, input, output, write, start, upperCase } = await setUp(t)
    for (const value of ['a', 'b', 'bad', 'c', 'd']) await write([value], `key of ${value}`)
    start(async (records, context) => {
      if (records.some(({ event }) => event === 'bad')) throw new Error('does not compute')
      return upperCase(records, context)
    })
    assert.deepEqual(values(await broker.read(output, 4)).toSorted(), ['A', 'B', 'C', 'D'])
    assert.deepEqual(values(await broker.read(deadLetterTopic(input), 1)), ['bad'])
  })

  test(`${brokerName}: dead letters of one key keep their order, whether processing or decoding failed`, async t => {
    const { broker, input, output, write, start, upperCase } = await setUp(t)
    await write(['bad', 'broken', 'a'])
    await write(['b', 'broken too'], 'other key')
    start(async (records, context) => {
      if (records.some(({ event }) => event === 'bad')) throw new Error('does not compute')
      return upperCase(records, context)
    })
    assert.deepEqual(values(await broker.read(output, 1)), ['B'])
    const deadLettered = await broker.read(deadLetterTopic(input), 4)
    assert.deepEqual(values(deadLettered.filter(({ key }) => key === 'k')), ['bad', 'broken', 'a'])
  })

  test(`${brokerName}: a batch processed in several calls has the same outputs as in one`, async t => {
    const { broker, input, output, write, start, upperCase } = await setUp(t)
    const sent = Array.from({ length: 20 }, (_, index) => `value-${String(index).padStart(2, '0')}`)
    await write([...sent.slice(0, 12), 'broken'])
    await write(sent.slice(12), 'other key')
    const calls: number[] = []
    start(
      async (records, context) => {
        calls.push(records.length)
        if (records.some(({ event }) => event === 'value-16')) throw new Error('does not compute')
        return upperCase(records, context)
      },
      {},
      { recordsInACall: 5 }
    )
    const outputs = values(await broker.read(output, 16))
    assert.deepEqual(
      outputs.toSorted(),
      sent.slice(0, 16).map(value => value.toUpperCase())
    )
    const deadLettered = values(await broker.read(deadLetterTopic(input), 5))
    assert.deepEqual(deadLettered.toSorted(), ['broken', ...sent.slice(16)])
    assert.ok(calls.length > 0 && calls.every(records => records <= 5), `calls with ${calls}`)
  })

  test(`${brokerName}: a transient error is retried with the whole batch, and nothing is dead-lettered`, async t => {
    const { broker, output, write, start, upperCase } = await setUp(t)
    await write(['a', 'b'])
    let failuresLeft = 2
    const deadLettered: string[] = []
    start(
      async (records, context) => {
        if (failuresLeft-- > 0) throw Object.assign(new Error('database unavailable'), { transient: true })
        return upperCase(records, context)
      },
      { observer: { deadLettered: ({ reason }) => deadLettered.push(reason) } }
    )
    assert.deepEqual(values(await broker.read(output, 2)), ['A', 'B'])
    assert.deepEqual(deadLettered, [])
  })

  test(`${brokerName}: later records of a blocked key are dead-lettered after the first, even after a restart, and other keys continue`, async t => {
    const { broker, input, output, write, start, upperCase } = await setUp(t)
    await write(['broken', 'follower 1'], 'blocked')
    await write(['a'], 'free')
    const first = start(upperCase)
    assert.deepEqual(values(await broker.read(output, 1)), ['A'])
    await broker.read(deadLetterTopic(input), 2)
    await first.stop()
    await write(['follower 2'], 'blocked')
    await write(['b'], 'free')
    start(upperCase)
    assert.deepEqual(values(await broker.read(output, 2)), ['A', 'B'])
    const deadLettered = await broker.read(deadLetterTopic(input), 3)
    assert.deepEqual(values(deadLettered), ['broken', 'follower 1', 'follower 2'])
    assert.deepEqual(
      deadLettered.map(({ headers }) => headers['dlq-code']),
      ['UNREADABLE', 'KEY_BLOCKED', 'KEY_BLOCKED']
    )
  })

  test(`${brokerName}: a replayed key is processed in order and released, and a replay that fails again is dead-lettered completely`, async t => {
    const { broker, input, output, sendRecords, write, start, upperCase } = await setUp(t)
    const replay = (name: string, texts: readonly string[], stage = 'contract') =>
      sendRecords([
        ...texts.map(text => ({
          topic: input,
          key: 'k',
          value: Buffer.from(text),
          headers: addHeaders([], { 'dlq-replay': name, 'dlq-stage': stage })
        })),
        { topic: input, key: 'k', value: null, headers: addHeaders([], { 'dlq-release': name, 'dlq-stage': stage }) }
      ])
    await write(['broken', 'b'])
    start(upperCase)
    await broker.read(deadLetterTopic(input), 2)
    await replay('first', ['broken', 'b'])
    const [, , ...failedAgain] = await broker.read(deadLetterTopic(input), 5)
    assert.deepEqual(values(failedAgain), ['broken', 'b', ''])
    assert.equal(failedAgain.at(-1)?.headers['dlq-release-refused'], 'first')
    await write(['c'])
    await broker.read(deadLetterTopic(input), 6)
    await replay('of another stage', ['b'], 'another')
    await replay('second', ['mended', 'b', 'c'])
    await write(['d'])
    assert.deepEqual(values(await broker.read(output, 4)), ['MENDED', 'B', 'C', 'D'])
    assert.equal((await broker.read(deadLetterTopic(input), 7)).at(-1)?.headers['dlq-release'], 'second')
  })

  test(`${brokerName}: a key is not released if it has a dead letter that its replay did not contain`, async t => {
    const { broker, input, output, sendRecords, write, start, upperCase } = await setUp(t)
    const replay = (name: string, text: string, count: number) => {
      const headers = { 'dlq-stage': 'contract' }
      return sendRecords([
        {
          topic: input,
          key: 'k',
          value: Buffer.from(text),
          headers: addHeaders([], { ...headers, 'dlq-replay': name })
        },
        {
          topic: input,
          key: 'k',
          value: null,
          headers: addHeaders([], { ...headers, 'dlq-release': name, 'dlq-parked': String(count) })
        }
      ])
    }
    await write(['broken', 'b'])
    start(upperCase)
    await broker.read(deadLetterTopic(input), 2)
    await replay('of the first', 'mended', 1)
    await write(['c'])
    assert.deepEqual(
      (await broker.read(deadLetterTopic(input), 4)).map(({ headers }) => headers['dlq-release-refused']),
      [undefined, undefined, 'of the first', undefined]
    )
    await replay('of what came behind', 'b', 3)
    await write(['d'])
    assert.deepEqual(values(await broker.read(output, 3)), ['MENDED', 'B', 'D'])
  })

  test(`${brokerName}: a replay that fails in the same batch as its release does not release the key`, async t => {
    const { broker, input, sendRecords, start } = await setUp(t)
    const headers = { 'dlq-stage': 'contract' }
    await sendRecords([
      { topic: deadLetterTopic(input), key: 'k', value: Buffer.from('bad'), headers: addHeaders([], headers) },
      { topic: input, key: 'k', value: Buffer.from('bad'), headers: addHeaders([], { ...headers, 'dlq-replay': 'r' }) },
      { topic: input, key: 'k', value: null, headers: addHeaders([], { ...headers, 'dlq-release': 'r' }) }
    ])
    start(async () => {
      throw new Error('does not compute')
    })
    const [, failedAgain, answer] = await broker.read(deadLetterTopic(input), 3)
    assert.equal(failedAgain?.headers['dlq-replay'], 'r')
    assert.equal(answer?.headers['dlq-release-refused'], 'r')
  })

  test(`${brokerName}: a tick writes without any input, runs again after a failure, and is notified of commits`, async t => {
    const { broker, output, start, upperCase } = await setUp(t)
    let runs = 0
    const committed: number[] = []
    start(
      upperCase,
      {},
      {
        tick: {
          everyMs: 10,
          async run() {
            runs++
            if (runs === 2) throw new Error('not today')
            return runs > 3 ? [] : [{ topic: output, key: 'k', value: Buffer.from(`run ${runs}`), headers: {} }]
          },
          committed: async () => void committed.push(runs)
        }
      }
    )
    assert.deepEqual(values(await broker.read(output, 2)), ['run 1', 'run 3'])
    while (runs < 5) await new Promise(resolve => setTimeout(resolve, 10))
    assert.deepEqual(committed, [1, 3])
  })

  test(`${brokerName}: a tick receives the time before which every record was processed, and its failure delays no record`, async t => {
    const { broker, output, write, start, upperCase } = await setUp(t)
    const texts = Array.from({ length: 30 }, (_, index) => `text ${String(index).padStart(2, '0')}`)
    const { promise, resolve } = Promise.withResolvers<TickContext>()
    const processed: string[] = []
    const processedThen: string[][] = []
    let writtenAtMs = Number.POSITIVE_INFINITY
    start(
      async (records, context) => {
        processed.push(...records.map(({ event }) => event))
        return upperCase(records, context)
      },
      { maxBatchRecords: 7 },
      {
        tick: {
          everyMs: 5,
          tracksCompleteness: true,
          async run(context) {
            if (context.partitions.every(({ completeUntilMs = 0 }) => completeUntilMs > writtenAtMs)) {
              processedThen.push([...processed])
              resolve(context)
            }
            throw new Error('always')
          }
        }
      }
    )
    for (const text of texts) await write([text], `key of ${text}`)
    writtenAtMs = Date.now()
    const { partitions, partitionCounts } = await promise
    assert.deepEqual(processedThen[0]?.toSorted(), texts)
    assert.deepEqual([...partitionCounts.values()], [4])
    assert.equal(partitions.length, 4)
    assert.equal(
      partitions.reduce((sum, { offset }) => sum + Number(offset), 0),
      texts.length
    )
    assert.equal((await broker.read(output, texts.length)).length, texts.length)
  })

  test(`${brokerName}: added partitions are written and read from their beginning without a restart`, async t => {
    const { broker, input, output, write, start, upperCase } = await setUp(t)
    const added: unknown[] = []
    start(upperCase, { observer: { partitionsAdded: event => added.push(event) } })
    await write(['a'])
    await broker.read(output, 1)
    await broker.growTopic(input, 8)
    let sent = 1
    for (const deadlineMs = Date.now() + 60_000; ; ) {
      const texts = Array.from({ length: 40 }, () => `value ${sent++}`)
      for (const text of texts) await write([text], `key of ${text}`)
      assert.equal((await broker.read(output, sent)).length, sent)
      const partitions = new Set((await broker.read(input, sent)).map(({ partition }) => partition))
      if (partitions.size === 8) break
      assert.ok(Date.now() < deadlineMs, `partitions ${[...partitions]} were written`)
    }
    assert.deepEqual(added, [{ stage: 'contract', topic: input, from: 4, to: 8 }])
  })

  test(`${brokerName}: records removed before they were read are reported once, and the others are processed`, async t => {
    const { broker, input, output, write, start, upperCase } = await setUp(t)
    const skipped: unknown[] = []
    const observer = { skipped: (event: unknown) => void skipped.push(event) }
    await write(['a', 'b'])
    const first = start(upperCase, { observer })
    const [record] = await broker.read(input, 1)
    await broker.read(output, 2)
    await first.stop()
    await write(['c', 'd', 'e', 'f'])
    const { partition = 0 } = record ?? {}
    await broker.deleteRecords({ topic: input, partition }, 5n)
    const second = start(upperCase, { observer })
    assert.deepEqual(values(await broker.read(output, 3)), ['A', 'B', 'F'])
    await second.stop()
    start(upperCase, { observer })
    await write(['g'])
    assert.deepEqual(values(await broker.read(output, 4)), ['A', 'B', 'F', 'G'])
    assert.deepEqual(skipped, [{ stage: 'contract', topic: input, partition, from: 2n, to: 5n }])
  })

  test(`${brokerName}: a stage whose unread records were all removed continues with the next record`, async t => {
    const { broker, input, output, write, start, upperCase } = await setUp(t)
    const skipped = Promise.withResolvers<{ readonly from: bigint; readonly to: bigint }>()
    await write(['a', 'b', 'c'])
    const [record] = await broker.read(input, 1)
    const { partition = 0 } = record ?? {}
    const first = start(upperCase)
    await broker.read(output, 3)
    await first.stop()
    await write(['d', 'e'])
    await broker.deleteRecords({ topic: input, partition }, 5n)
    const second = start(upperCase, { observer: { skipped: skipped.resolve } })
    const { from, to } = await skipped.promise
    assert.deepEqual([from, to], [3n, 5n])
    // The position after the skipped records is committed although no record followed them.
    await second.stop()
    const again: unknown[] = []
    start(upperCase, { observer: { skipped: event => again.push(event) } })
    await write(['f'])
    assert.deepEqual(values(await broker.read(output, 4)), ['A', 'B', 'C', 'F'])
    assert.deepEqual(again, [])
  })
}
