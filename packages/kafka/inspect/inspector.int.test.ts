import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { integrationEnvironment } from '@orderly/launcher/testing'
import { createTopics } from '../cluster/admin.ts'
import type { KafkaConnection } from '../connection.ts'
import { deadLetterTopic } from '../dead-letters/topics.ts'
import { createProducer } from '../producer/producer.ts'
import { runStage } from '../stage/run-stage.ts'
import { ScriptedProducer } from '../testing/scripted-producer.ts'
import { textCodec } from '../testing/text-codec.ts'
import { createInspector } from './inspector.ts'

const connection: KafkaConnection = { brokers: integrationEnvironment().kafkaBrokers, clientID: 'integration-test' }
const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

async function setUp(t: TestContext) {
  const topic = `inspected-${randomUUID()}`
  const shape = { partitions: 2, replicationFactor: 1 }
  await createTopics(connection, [
    { name: topic, ...shape, configs: { 'retention.ms': '7200000' } },
    { name: deadLetterTopic(topic), ...shape }
  ])
  const inspector = createInspector(connection)
  const transactional = await new ScriptedProducer(connection, `transactional-${topic}`).init()
  t.after(() => Promise.all([inspector.close(), transactional.close()]))
  const groupID = `group-${topic}`
  const startStage = () => {
    const input = { name: topic, eventType: 'Text', codec: textCodec }
    const stage = runStage(
      { name: 'inspected', group: groupID, inputs: [input], process: async () => [] },
      { connection, delivery: 'at-least-once', instanceID: `member-${topic}`, isTransient: () => false, logger: silent }
    )
    t.after(() => stage.stop())
    return stage
  }
  const lag = async () => inspector.lag(await inspector.group(groupID))
  const places = [0, 1].map(partition => ({ topic, partition }))
  // The response to a commit or abort precedes the coordinator's record that the last marker is
  // written.
  const untilNoneIsOpen = () =>
    until(
      () => inspector.hangingTransactions(places, { afterMs: 0 }),
      open => open.length === 0
    )
  return { topic, groupID, inspector, transactional, startStage, lag, places, untilNoneIsOpen }
}

async function until<Result>(ask: () => Promise<Result>, isMet: (result: Result) => boolean): Promise<Result> {
  const patience = AbortSignal.timeout(30_000)
  for (;;) {
    const result = await ask()
    if (isMet(result)) return result
    patience.throwIfAborted()
  }
}

test('lag counts waiting offsets, with the time of the first and its member, and an idle stage has none behind markers', async t => {
  const { topic, groupID, inspector, transactional, startStage, lag, places } = await setUp(t)
  await transactional.write(topic, 0, ['a', 'b', 'c'])
  await transactional.end('commit')
  const stage = startStage()
  const done = await until(lag, all => all.length === 2 && all[0]?.committedOffset === 4n)
  assert.deepEqual(
    done.map(({ partition, lagRecords, waitingSinceMs, member }) => [
      partition,
      lagRecords,
      waitingSinceMs,
      member?.instanceID
    ]),
    places.map(({ partition }) => [partition, 0, undefined, `member-${topic}`])
  )
  assert.equal(done[0]?.endOffset, 4n)
  assert.equal(done[1]?.committedOffset, undefined)
  assert.ok((await inspector.groups()).includes(groupID))
  assert.equal((await inspector.group(groupID)).state, 'Stable')
  await stage.stop()
  assert.equal((await inspector.group(groupID)).state, 'Empty')

  const producer = await createProducer(connection)
  t.after(() => producer.close())
  // Later than the timestamps of all existing records.
  const [earlierMs, laterMs] = [Date.now() + 60_000, Date.now() + 61_000]
  const key = 'k'
  for (const timestampMs of [earlierMs, laterMs]) {
    await producer.send([{ topic, key, value: Buffer.from('v'), headers: {}, timestampMs }])
  }
  const waiting = (await lag()).filter(({ lagRecords }) => lagRecords > 0)
  assert.deepEqual(
    waiting.map(({ lagRecords, waitingSinceMs, member }) => [lagRecords, waitingSinceMs, member]),
    [[2, earlierMs, undefined]]
  )
  const [at] = await inspector.offsets([waiting[0] as { topic: string; partition: number }], { timeMs: earlierMs + 1 })
  assert.equal(at?.offset, (waiting[0]?.endOffset ?? 0n) - 1n)
})

test('a stage that is never idle commits positions after markers of partitions without new records', async t => {
  const { topic, transactional, startStage, lag } = await setUp(t)
  const producer = await createProducer(connection)
  startStage()
  let isOver = false
  const sending = (async () => {
    while (!isOver)
      await producer.send([
        { topic, partition: 0, key: 'k', value: Buffer.from('v'), headers: {}, timestampMs: Date.now() }
      ])
  })()
  try {
    await transactional.write(topic, 1, ['a'])
    await transactional.end('commit')
    await until(lag, all => all[1]?.endOffset === 2n && all[1].committedOffset === 2n)
  } finally {
    isOver = true
    await sending
    await producer.close()
  }
})

test('a group that does not exist is dead and has no lag', async t => {
  const { inspector, lag } = await setUp(t)
  assert.equal((await inspector.group(`no-group-${randomUUID()}`)).state, 'Dead')
  assert.deepEqual(await lag(), [])
})

test('an open transaction is reported with its partitions and the records behind it until it ends', async t => {
  const { topic, inspector, transactional, startStage, lag, places, untilNoneIsOpen } = await setUp(t)
  await transactional.write(topic, 1, ['a'])
  await transactional.end('commit')
  const stage = startStage()
  await until(lag, all => all[1]?.committedOffset === 2n)
  await stage.stop()
  await untilNoneIsOpen()

  await transactional.write(topic, 1, ['b', 'c'])
  const [found] = await inspector.hangingTransactions(places, { afterMs: 0 })
  assert.equal(found?.transactionalID, `transactional-${topic}`)
  assert.equal(found?.kind, 'open')
  assert.deepEqual(found?.partitions, [{ topic, partition: 1 }])
  assert.deepEqual(await inspector.hangingTransactions(places, { afterMs: 60_000 }), [])
  const [held] = await inspector.heldPartitions(places)
  assert.deepEqual([held?.partition, held?.stableOffset, held?.endOffset], [1, 2n, 4n])
  assert.equal(held?.holders[0]?.firstOffset, 2n)
  const behind = (await lag())[1]
  assert.deepEqual([behind?.lagRecords, behind?.stableOffset], [2, 2n])
  assert.ok(behind?.waitingSinceMs !== undefined)

  await transactional.end('abort')
  await untilNoneIsOpen()
  assert.deepEqual(await inspector.heldPartitions(places), [])
  startStage()
  const passed = await until(lag, all => all[1]?.lagRecords === 0)
  assert.equal(passed[1]?.committedOffset, 5n)
})

test('topics are described with their leaders and configuration', async t => {
  const { topic, inspector } = await setUp(t)
  const [described, ...others] = await inspector.topics([topic, 'no-such-topic'])
  assert.deepEqual(others, [])
  assert.deepEqual(
    described?.partitions.map(({ partition, inSyncReplicaIDs }) => [partition, inSyncReplicaIDs.length]),
    [
      [0, 1],
      [1, 1]
    ]
  )
  assert.ok((await inspector.topics()).some(({ name }) => name === topic))
  const configs = (await inspector.topicConfigs([topic])).get(topic)
  assert.deepEqual(configs?.get('retention.ms'), { name: 'retention.ms', value: '7200000', isOwn: true })
  assert.equal(configs?.get('cleanup.policy')?.isOwn, false)
  const chosen = await inspector.topicConfigs([topic, 'no-such-topic'], ['retention.ms'])
  assert.deepEqual([...chosen.keys(), ...(chosen.get(topic)?.keys() ?? [])], [topic, 'retention.ms'])
  const [settings, ...otherBrokers] = (await inspector.brokerConfigs(['num.partitions'])).values()
  assert.deepEqual([settings, otherBrokers], [new Map([['num.partitions', '4']]), []])
})
