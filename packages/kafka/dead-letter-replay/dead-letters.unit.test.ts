import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { deadLetterTopic } from '../dead-letters/topics.ts'
import type { FetchedRecord } from '../fetch/fetched-record.ts'
import { fetchedRecord } from '../testing/fetched-record.ts'
import { createInMemoryBroker } from '../testing/in-memory-broker.ts'
import { textCodec } from '../testing/text-codec.ts'
import { DeadLetterCounts } from './counts.ts'
import { DeadLetterIndex, type DeadLetterKey } from './dead-letter-index.ts'
import { operationRecords } from './operation.ts'
import { cutIntoSteps, type OperationPlan, planDrop, planReplay } from './plan.ts'

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
const input = 'orders'

/**
 * Sets up a stage that fails on texts in `poison`, and functions that replay and drop its dead
 * letters.
 */
function setUp(t: Pick<TestContext, 'after'>) {
  const broker = createInMemoryBroker({ partitions: 3 })
  const producer = broker.producer()
  const poison = new Set<string>()
  const processed = new Map<string, string[]>()
  const stage = broker.runStage(
    {
      name: 'flaky',
      group: 'flaky',
      inputs: [{ name: input, eventType: 'Text', codec: textCodec }],
      process: async records => {
        if (records.some(({ event }) => poison.has(event))) throw new Error('poison')
        for (const { key, event } of records) processed.set(key, [...(processed.get(key) ?? []), event])
        return []
      }
    },
    { isTransient: () => false, logger: silent, maxBatchRecords: 3 }
  )
  t.after(() => stage.stop())
  let operations = 0
  const book = () => {
    const read = new DeadLetterIndex()
    for (const record of broker.fetched(deadLetterTopic(input))) read.add(record)
    return read
  }
  const carryOut = async ({ operations }: OperationPlan, steps = Number.POSITIVE_INFINITY, deadLetters = 2) => {
    for (const step of cutIntoSteps(operations, deadLetters).slice(0, steps)) {
      await producer.send(step.flatMap(one => operationRecords(one)))
    }
  }
  const isIdle = () =>
    [0, 1, 2].every(partition => {
      const own = broker.records(input).filter(record => record.partition === partition)
      return broker.committedOffset('flaky', input, partition) === BigInt(own.length)
    })
  return {
    broker,
    poison,
    processed,
    write: (key: string, value: string) =>
      producer.send([{ topic: input, key, value: Buffer.from(value), headers: {} }]),
    keys() {
      const keys = book().keys()
      assertCounted(keys, broker.fetched(deadLetterTopic(input)))
      return keys
    },
    carryOut,
    replay: (steps?: number, deadLetters?: number) =>
      carryOut(planReplay(book().keys(), `replay ${++operations}`), steps, deadLetters),
    drop: (isChosen: (value: string) => boolean) =>
      carryOut(planDrop(book().keys(), ({ value }) => isChosen(String(value)), `drop ${++operations}`)),
    async settle() {
      while (!isIdle()) await turn()
    }
  }
}

/** Asserts that the counts agree with the book. */
function assertCounted(keys: readonly DeadLetterKey[], records: readonly FetchedRecord[]): void {
  const counts = new DeadLetterCounts(deadLetterTopic(input))
  for (const record of records) counts.add(record)
  const times = keys.flatMap(({ deadLetters }) => deadLetters.map(({ timestampMs }) => timestampMs))
  assert.deepEqual(counts.count(), {
    topic: deadLetterTopic(input),
    waiting: times.length,
    oldestAtMs: times.length === 0 ? undefined : Math.min(...times),
    blockedKeys: keys.filter(({ blockingCount }) => blockingCount > 0).length
  })
}

const values = (key: DeadLetterKey | undefined) => key?.deadLetters.map(({ value }) => String(value))

test('a replay processes every dead letter of a key once, in order, with its own headers, and releases the key', async t => {
  const { broker, poison, processed, write, keys, replay, settle } = setUp(t)
  poison.add('a')
  for (const value of ['a', 'b', 'c']) await write('ada', value)
  await settle()
  const [key, ...others] = keys()
  assert.deepEqual([others, values(key), key?.blockingCount], [[], ['a', 'b', 'c'], 3])
  poison.clear()
  await replay()
  await settle()
  await write('ada', 'd')
  await settle()
  assert.deepEqual(processed.get('ada'), ['a', 'b', 'c', 'd'])
  assert.deepEqual(keys(), [])
  const replayed = broker.records(input).find(({ headers }) => headers['dlq-replay'] !== undefined)
  assert.deepEqual(Object.keys(replayed?.headers ?? {}).toSorted(), [
    'dlq-headers',
    'dlq-origin',
    'dlq-replay',
    'dlq-stage'
  ])
})

test('a record that fails again waits again before later records, and its key stays blocked', async t => {
  const { poison, processed, write, keys, replay, settle } = setUp(t)
  poison.add('b')
  for (const value of ['a', 'b', 'c', 'd']) await write('ada', value)
  await settle()
  await write('ada', 'e')
  await settle()
  await replay()
  await settle()
  assert.deepEqual(values(keys()[0]), ['b', 'c', 'd', 'e'])
  assert.equal(keys()[0]?.inFlight, undefined)
  poison.clear()
  await replay()
  await settle()
  assert.deepEqual(processed.get('ada'), ['a', 'b', 'c', 'd', 'e'])
})

test('an interrupted replay is resumed under its name, and one that awaits its answer is left alone', async t => {
  const { poison, processed, write, keys, replay, settle } = setUp(t)
  poison.add('a')
  for (const value of ['a', 'b', 'c', 'd', 'e']) await write('ada', value)
  await settle()
  poison.clear()
  await replay(1)
  assert.deepEqual(values(keys()[0]), ['c', 'd', 'e'])
  assert.equal(keys()[0]?.inFlight?.isOpen, true)
  await replay()
  const again = planReplay(keys(), 'again')
  assert.deepEqual([again.operations, again.leftAlone.map(({ why }) => why)], [[], ['in-flight']])
  await settle()
  assert.deepEqual(processed.get('ada'), ['a', 'b', 'c', 'd', 'e'])
  assert.deepEqual(keys(), [])
})

test('dropping the dead letter that failed replays those that only followed it', async t => {
  const { poison, processed, write, keys, drop, settle } = setUp(t)
  poison.add('a')
  for (const value of ['a', 'b']) await write('ada', value)
  await settle()
  await drop(value => value === 'a')
  await settle()
  await write('ada', 'c')
  await settle()
  assert.deepEqual(processed.get('ada'), ['b', 'c'])
  assert.deepEqual(keys(), [])
})

test('a key whose dead letters are all dropped continues with later records', async t => {
  const { poison, processed, write, keys, drop, settle } = setUp(t)
  poison.add('a')
  for (const value of ['a', 'b']) await write('ada', value)
  await settle()
  await drop(() => true)
  await settle()
  await write('ada', 'c')
  await settle()
  assert.deepEqual(processed.get('ada'), ['c'])
  assert.deepEqual(keys(), [])
})

test('a key stays blocked after a drop if a remaining dead letter failed on its own account', async t => {
  const { poison, processed, write, keys, replay, drop, settle } = setUp(t)
  poison.add('a')
  poison.add('c')
  for (const value of ['a', 'b', 'c']) await write('ada', value)
  await settle()
  poison.delete('a')
  await replay()
  await settle()
  await write('ada', 'd')
  await settle()
  poison.add('d')
  assert.deepEqual(values(keys()[0]), ['c', 'd'])
  await drop(value => value === 'd')
  await settle()
  await write('ada', 'e')
  await settle()
  assert.deepEqual(values(keys()[0]), ['c', 'e'])
  assert.deepEqual(processed.get('ada'), ['a', 'b'])
})

test('any sequence of replays, interrupted or not, processes each record once and in the order of its key', async () => {
  for (let seed = 1; seed <= 25; seed++) {
    const after: (() => unknown)[] = []
    const { poison, processed, write, keys, replay, carryOut, settle } = setUp({
      after: release => void after.push(release as () => unknown)
    })
    const random = generator(seed)
    const written = new Map<string, string[]>()
    // Others write between reading and writing: an operation may be planned at one time and
    // executed at another.
    let planned: OperationPlan | undefined
    for (let index = 0; index < 60; index++) {
      const key = `key ${random(2)}`
      const dice = random(12)
      if (dice < 5) {
        const value = `${key} ${index}`
        if (random(3) === 0) poison.add(value)
        written.set(key, [...(written.get(key) ?? []), value])
        await write(key, value)
      } else if (dice < 7) planned ??= planReplay(keys(), `planned ${index}`)
      else if (dice < 10) {
        const plan = planned ?? planReplay(keys(), `at once ${index}`)
        planned = undefined
        await carryOut(plan, random(4), 1 + random(2))
      } else if (dice < 11) poison.delete([...poison][random(Math.max(1, poison.size))] ?? '')
      else await settle()
      for (let turns = random(6); turns > 0; turns--) await turn()
    }
    poison.clear()
    for (let round = 0; keys().length > 0; round++) {
      assert.ok(round < 20, `seed ${seed}: dead letters are never processed`)
      await settle()
      await replay()
    }
    await settle()
    for (const [key, own] of written) assert.deepEqual(processed.get(key), own, `seed ${seed}, ${key}`)
    for (const release of after) await release()
  }
})

test('a dead letter of Kafka Connect can be listed and dropped but not replayed, even if its record was part of a replay', () => {
  const at = (offset: bigint) => ({ topic: 'audit.dlq', partition: 0, offset })
  const copy = {
    key: 'ada',
    value: Buffer.from('b'),
    headers: {
      ...{ 'dlq-stage': 'flaky', 'dlq-replay': 'r', 'dlq-topic': 'elsewhere', 'dlq-origin': '5/5' },
      '__connect.errors.topic': input,
      '__connect.errors.partition': '2',
      '__connect.errors.offset': '17',
      '__connect.errors.connector.name': 'audit',
      '__connect.errors.exception.class.name': 'org.apache.kafka.connect.errors.DataException',
      '__connect.errors.exception.message': 'no event'
    }
  }
  const book = new DeadLetterIndex()
  // Connect may write it again after a crash.
  for (const offset of [0n, 1n]) book.add(fetchedRecord(at(offset), copy))
  const [key, ...others] = book.keys()
  const [deadLetter, ...more] = key?.deadLetters ?? []
  assert.deepEqual([others, more, key?.stage, key?.blockingCount], [[], [], 'audit', 0])
  const source = { topic: input, partition: 2, offset: 17n }
  assert.deepEqual(
    [deadLetter?.code, deadLetter?.reason, deadLetter?.source, deadLetter?.origin, deadLetter?.replay],
    ['DataException', 'no event', source, source, undefined]
  )
  const replay = planReplay(book.keys(), 'r')
  assert.deepEqual([replay.operations, replay.leftAlone.map(({ why }) => why)], [[], ['copied']])
  const written = planDrop(book.keys(), () => true, 'd').operations.flatMap(one => operationRecords(one))
  assert.deepEqual(
    written.map(({ topic, partition, value }) => [topic, partition, value === null]),
    [['audit.dlq', 0, false]]
  )
  for (const record of written) book.add(fetchedRecord(at(2n), record))
  assert.deepEqual(book.keys(), [])
})

function generator(seed: number): (below: number) => number {
  let state = seed
  return below => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}
