import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { startBroker, type TestBroker } from '@orderly/launcher/testing'
import { createTopics } from '../cluster/admin.ts'
import { Cluster } from '../cluster/cluster.ts'
import type { KafkaConnection } from '../connection.ts'
import { commitOffsets, committedOffsets } from '../consumer-group/committed-offsets.ts'
import { deadLetterTopic } from '../dead-letters/topics.ts'
import { describeTopics } from '../inspect/topics.ts'
import { createProducer } from '../producer/producer.ts'
import { deleteTopic } from '../testing/change-topics.ts'
import { readCommitted } from '../testing/read-committed.ts'
import { textCodec } from '../testing/text-codec.ts'
import { runStage } from './run-stage.ts'

/**
 * Tests of a log that changes under a stage: its tail is lost, or the topic is deleted and
 * recreated. The tests start their own brokers, because they stop them to cut their logs.
 */
const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

interface SetUp {
  readonly broker: TestBroker
  /** Replicas of the input; the other topics have one on every broker. */
  readonly replicas?: number
  readonly configs?: Readonly<Record<string, string>>
}

async function setUp(t: TestContext, { broker, replicas = 1, configs = {} }: SetUp) {
  const connection: KafkaConnection = { brokers: broker.brokers, clientID: 'log-changes' }
  const [input, output] = [`in-${randomUUID()}`, `out-${randomUUID()}`]
  const createInput = () =>
    createTopics(connection, [{ name: input, partitions: 1, replicationFactor: replicas, configs }])
  await createInput()
  await createTopics(
    connection,
    [output, deadLetterTopic(input)].map(name => ({ name, partitions: 1, replicationFactor: broker.brokers.length }))
  )
  /** Writes one batch for each name, because a log is cut between batches. */
  const write = async (names: readonly string[]) => {
    const producer = await createProducer(connection, { deliveryTimeoutMs: 60_000 })
    for (const name of names) await producer.send([{ topic: input, key: 'k', value: Buffer.from(name), headers: {} }])
    await producer.close()
  }
  const truncations: { from: bigint; to: bigint }[] = []
  const recreations: string[] = []
  const start = (delivery: 'exactly-once' | 'at-least-once' = 'exactly-once') => {
    const stage = runStage(
      {
        name: 'echo',
        group: `group-${input}`,
        inputs: [{ name: input, eventType: 'Text', codec: textCodec }],
        process: async records =>
          records.map(({ key, event }) => ({ topic: output, key, value: Buffer.from(event), headers: {} }))
      },
      {
        connection,
        delivery,
        transactionalID: `tx-${input}`,
        isTransient: () => false,
        logger: silent,
        observer: {
          truncated: ({ from, to }) => truncations.push({ from, to }),
          recreated: ({ topic }) => recreations.push(topic)
        }
      }
    )
    t.after(() => stage.stop())
    return stage
  }
  const outputs = async (count: number) =>
    (await readCommitted(connection, output, records => records.length >= count, patience())).map(({ value }) =>
      value.toString()
    )
  const recreateInput = async () => {
    await deleteTopic(connection, input)
    await createInput()
  }
  return { input, connection, write, start, outputs, recreateInput, truncations, recreations }
}

/** Returns options with a timeout that lets brokers restart, elect leaders and expire sessions. */
const patience = () => ({ signal: AbortSignal.timeout(120_000) })

const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => String(from + index))

/**
 * Sets up a log whose ten records were processed, and a function that makes the broker lose the
 * records from offset 6.
 */
async function cutBehindSix(t: TestContext, broker: TestBroker, delivery: 'exactly-once' | 'at-least-once') {
  const set = await setUp(t, { broker })
  await set.write(numbers(0, 10))
  const stage = set.start(delivery)
  assert.deepEqual(await set.outputs(10), numbers(0, 10))
  const cut = async () => {
    await broker.kill()
    await broker.cutLogTail(set.input, 0, 6)
    await broker.start()
  }
  return { ...set, stage, cut }
}

test('a log of one broker that is truncated or replaced', async t => {
  const broker = await startBroker(t)

  for (const delivery of ['exactly-once', 'at-least-once'] as const) {
    await t.test(
      `an ${delivery} stage whose position is past the end of the log resumes where the log diverged`,
      async t => {
        const { stage, cut, write, start, outputs, truncations } = await cutBehindSix(t, broker, delivery)
        await stage.stop()
        await cut()
        await write(['new 6'])
        start(delivery)
        assert.deepEqual(await outputs(11), [...numbers(0, 10), 'new 6'])
        await write(['new 7'])
        assert.deepEqual(await outputs(12), [...numbers(0, 10), 'new 6', 'new 7'])
        assert.deepEqual(truncations, [{ from: 10n, to: 6n }])
      }
    )
  }

  await t.test('a truncated log that has grown past the position again is read from where it diverged', async t => {
    const { stage, cut, write, start, outputs, truncations } = await cutBehindSix(t, broker, 'exactly-once')
    await stage.stop()
    await cut()
    await write(numbers(106, 114))
    const next = start()
    assert.deepEqual(await outputs(18), [...numbers(0, 10), ...numbers(106, 114)])
    assert.deepEqual(truncations, [{ from: 10n, to: 6n }])
    await next.stop()
    start()
    await write(['114'])
    assert.deepEqual((await outputs(19)).slice(10), numbers(106, 115))
    assert.equal(truncations.length, 1)
  })

  await t.test('a running stage whose log is truncated resumes where the log diverged', async t => {
    const { cut, write, outputs, truncations } = await cutBehindSix(t, broker, 'exactly-once')
    await cut()
    await write(numbers(106, 114))
    assert.deepEqual(await outputs(18), [...numbers(0, 10), ...numbers(106, 114)])
    assert.deepEqual(truncations, [{ from: 10n, to: 6n }])
  })

  await t.test('a running stage reads a recreated topic from its beginning', async t => {
    const { input, write, start, outputs, recreateInput, recreations } = await setUp(t, { broker })
    await write(numbers(0, 10))
    start()
    assert.deepEqual(await outputs(10), numbers(0, 10))
    await recreateInput()
    await write(numbers(100, 115))
    assert.deepEqual(await outputs(25), [...numbers(0, 10), ...numbers(100, 115)])
    assert.deepEqual(recreations, [input])
  })

  await t.test('an offset of a deleted topic is not used for a new topic with the same name', async t => {
    const { input, connection, write, start, outputs, recreateInput, recreations } = await setUp(t, { broker })
    await write(numbers(0, 10))
    const stage = start()
    assert.deepEqual(await outputs(10), numbers(0, 10))
    await stage.stop()
    const cluster = new Cluster(connection, { requestTimeoutMs: 5_000 })
    t.after(() => cluster.close())
    const group = { groupID: `group-${input}`, memberID: '', instanceID: null, generation: -1 }
    const { found: committed } = await committedOffsets(cluster, group, [{ topic: input, partition: 0 }], {
      signal: AbortSignal.timeout(20_000),
      patienceMs: 20_000
    })
    await recreateInput()
    await write(numbers(100, 115))
    // Imitates a commit that was in flight while the topic was deleted; Kafka itself deletes the
    // offsets of a deleted topic.
    await commitOffsets(cluster, group, committed)
    start()
    assert.deepEqual(await outputs(25), [...numbers(0, 10), ...numbers(100, 115)])
    assert.deepEqual(recreations, [input])
  })
})

test('after an unclean leader election a stage resumes where the log of the new leader diverged', async t => {
  const broker = await startBroker(t, { count: 3 })
  const { input, connection, write, start, outputs, truncations } = await setUp(t, {
    broker,
    replicas: 2,
    configs: { 'unclean.leader.election.enable': 'true', 'min.insync.replicas': '1' }
  })
  const cluster = new Cluster(connection, { requestTimeoutMs: 5_000 })
  t.after(() => cluster.close())
  const { leaderID, replicaIDs } = await firstPartition(cluster, input)
  const follower = replicaIDs.find(id => id !== leaderID) as number
  await write(numbers(0, 6))
  start()
  assert.deepEqual(await outputs(6), numbers(0, 6))
  broker.killOne(follower)
  await write(numbers(6, 10)) // acknowledged once the controller has removed the follower from the in-sync replicas
  assert.deepEqual(await outputs(10), numbers(0, 10))
  broker.killOne(leaderID)
  await broker.startOne(follower, { alive: 2 })
  await write(numbers(106, 114))
  assert.deepEqual(await outputs(18), [...numbers(0, 10), ...numbers(106, 114)])
  assert.deepEqual(truncations, [{ from: 10n, to: 6n }])
  await broker.startOne(leaderID)
  await write(['114'])
  assert.deepEqual((await outputs(19)).slice(10), numbers(106, 115))
})

async function firstPartition(cluster: Cluster, topic: string) {
  const [description] = await describeTopics(cluster, [topic])
  assert.ok(description?.partitions[0])
  return description.partitions[0]
}
