import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, type TestContext, test } from 'node:test'
import { waitUntil } from '@orderly/launcher'
import { integrationEnvironment, startBroker } from '@orderly/launcher/testing'
import { createTopics, growTopic } from '../cluster/admin.ts'
import type { KafkaConnection } from '../connection.ts'
import { deadLetterTopic } from '../dead-letters/topics.ts'
import { createProducer } from '../producer/producer.ts'
import { textCodec } from '../testing/text-codec.ts'
import { runStage } from './run-stage.ts'
import type { TickContext } from './stage.ts'

const deadlineMs = 60_000
const logAppendTime = { 'message.timestamp.type': 'LogAppendTime' }

/**
 * Starts one instance that reads everything, and records until when each of its ticks claims that
 * all partitions are complete.
 */
async function setUp(t: TestContext, connection: KafkaConnection, replicationFactor: number) {
  const topic = `complete-${randomUUID()}`
  const topics = [topic, deadLetterTopic(topic)]
  const shape = { partitions: 1, replicationFactor, configs: logAppendTime }
  await createTopics(
    connection,
    topics.map(name => ({ name, ...shape }))
  )
  const writtenAtMs = new Map<string, number>()
  const claims: { readonly completeUntilMs: number; readonly processed: number }[] = []
  const stage = runStage(
    {
      name: 'complete',
      group: `group-${topic}`,
      inputs: [{ name: topic, eventType: 'Text', codec: textCodec }],
      process: async records => {
        for (const { event, timestampMs } of records) writtenAtMs.set(event, timestampMs)
        return []
      },
      tick: {
        everyMs: 20,
        tracksCompleteness: true,
        async run({ partitions, partitionCounts }: TickContext) {
          const known = partitions.flatMap(({ completeUntilMs }) => completeUntilMs ?? [])
          const isOfAll = known.length === partitionCounts.get(topic)
          if (isOfAll) claims.push({ completeUntilMs: Math.min(...known), processed: writtenAtMs.size })
          return []
        }
      }
    },
    {
      connection,
      delivery: 'at-least-once',
      isTransient: () => false,
      logger: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
    }
  )
  t.after(() => stage.stop())
  const producer = await createProducer(connection, { deliveryTimeoutMs: deadlineMs })
  t.after(() => producer.close())
  const send = (text: string, partition = 0) =>
    producer.send([{ topic, partition, key: 'k', value: Buffer.from(text), headers: {} }])
  const untilProcessed = (text: string) =>
    waitUntil(() => writtenAtMs.has(text), { what: `${text} being processed`, deadlineMs })
  const untilClaimed = (afterMs: number) =>
    waitUntil(() => (claims.at(-1)?.completeUntilMs ?? 0) > afterMs, { what: 'a later claim', deadlineMs })
  /** Asserts that no tick claimed completeness beyond a record that was not processed yet. */
  const assertNoneIsLate = () => {
    const timesMs = [...writtenAtMs.values()]
    for (const { completeUntilMs, processed } of claims) {
      const early = timesMs.slice(processed).filter(timeMs => timeMs < completeUntilMs)
      assert.deepEqual(early, [], `complete until ${completeUntilMs} with ${processed} of ${timesMs}`)
    }
  }
  return { topic, writtenAtMs, claims, send, untilProcessed, untilClaimed, assertNoneIsLate }
}

describe('the completeness time of a tick', () => {
  test('does not pass records that a slow follower keeps above the high watermark', async t => {
    const brokers = await startBroker(t, { count: 3, heapMB: 256 })
    const connection = { brokers: brokers.brokers, clientID: 'integration-test' }
    const { send, untilProcessed, untilClaimed, writtenAtMs, assertNoneIsLate } = await setUp(t, connection, 3)
    await send('before')
    await untilProcessed('before')
    await untilClaimed(writtenAtMs.get('before') ?? 0)
    // Whichever broker leads, the high watermark waits for all three until the controller removes
    // the frozen one.
    brokers.freezeOne(3)
    t.after(() => brokers.thawOne(3))
    await Promise.all([send('held back'), untilProcessed('held back')])
    brokers.thawOne(3)
    await untilClaimed(writtenAtMs.get('held back') ?? 0)
    assertNoneIsLate()
  })

  test('does not pass records of partitions that were just added', async t => {
    const connection = {
      brokers: integrationEnvironment().kafkaBrokers,
      clientID: 'integration-test',
      metadataMaxAgeMs: 3_000
    }
    const { topic, send, untilProcessed, untilClaimed, writtenAtMs, assertNoneIsLate } = await setUp(t, connection, 1)
    await send('before')
    await untilProcessed('before')
    await untilClaimed(writtenAtMs.get('before') ?? 0)
    await growTopic(connection, topic, 2)
    const producer = await createProducer(connection)
    t.after(() => producer.close())
    await producer.send([{ topic, partition: 1, key: 'k', value: Buffer.from('new partition'), headers: {} }])
    await send('old partition')
    await untilProcessed('new partition')
    await untilClaimed(writtenAtMs.get('new partition') ?? 0)
    assertNoneIsLate()
  })
})
