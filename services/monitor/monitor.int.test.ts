import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { createProducer, createTopics, deadLetterTopic, keepsEverything, runStage } from '@orderly/kafka'
import { ScriptedProducer, textCodec } from '@orderly/kafka/testing'
import { waitUntil } from '@orderly/launcher'
import { integrationEnvironment, startService } from '@orderly/launcher/testing'

const { kafkaBrokers } = integrationEnvironment()
const connection = { brokers: kafkaBrokers, clientID: 'monitor-test' }
const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

test('lag in records and seconds and hanging transactions are exported, even for a group without members', async t => {
  const topic = `monitored-${randomUUID()}`
  const group = `group-${topic}`
  const shape = { partitions: 1, replicationFactor: 1 }
  await createTopics(connection, [
    { name: topic, ...shape, configs: { 'retention.ms': '7200000' } },
    { name: deadLetterTopic(topic), ...shape, configs: keepsEverything }
  ])
  const producer = await createProducer(connection)
  const transactional = await new ScriptedProducer(connection, `transactional-${topic}`).init()
  t.after(() => Promise.all([producer.close(), transactional.close()]))
  const monitor = await startService(t, 'monitor', {
    KAFKA_BROKERS: kafkaBrokers.join(','),
    MONITOR_INTERVAL_MS: '200',
    MONITOR_HANGING_AFTER_MS: '1000',
    MONITOR_MAX_GROUPS: '10000'
  })
  const metric = async (name: string, labels = ''): Promise<number | undefined> => {
    const metrics = await (await fetch(`${monitor.url}/metrics`)).text()
    const line = metrics.split('\n').find(each => each.startsWith(`${name}{${labels}`))
    return line === undefined ? undefined : Number(line.split(' ').at(-1))
  }
  const ofGroup = `group="${group}",topic="${topic}",partition="0"`
  const ofPartition = `topic="${topic}",partition="0"`
  const until = (what: string, isSo: () => Promise<boolean>) => waitUntil(isSo, { what, deadlineMs: 60_000 })

  const send = (timestampMs: number) =>
    producer.send([{ topic, key: 'k', value: Buffer.from('v'), headers: {}, timestampMs }])
  await send(Date.now() - 100_000)
  const stage = runStage(
    { name: 'read', group, inputs: [{ name: topic, eventType: 'Text', codec: textCodec }], process: async () => [] },
    { connection, delivery: 'at-least-once', isTransient: () => false, logger: silent }
  )
  t.after(() => stage.stop())
  await until('no lag', async () => (await metric('orderly_consumer_lag_records', ofGroup)) === 0)
  assert.equal(await metric('orderly_consumer_lag_seconds', ofGroup), 0)
  await stage.stop()

  await send(Date.now() - 90_000)
  await send(Date.now())
  await until('lag', async () => (await metric('orderly_consumer_lag_records', ofGroup)) === 2)
  const seconds = (await metric('orderly_consumer_lag_seconds', ofGroup)) ?? 0
  assert.ok(seconds >= 90 && seconds < 180, `${seconds} s`)
  assert.equal(await metric('orderly_kafka_topic_retention_seconds', `topic="${topic}"`), 7_200)
  const ofDeadLetters = `topic="${deadLetterTopic(topic)}"`
  await until('retention of dead letters', async () =>
    Number.isNaN(await metric('orderly_kafka_topic_retention_seconds', ofDeadLetters))
  )
  assert.equal(await metric('orderly_consumer_group_members', `group="${group}"`), 0)

  await transactional.write(topic, 0, ['a', 'b'])
  const hangingHere = () => metric('orderly_kafka_hanging_transactions', `kind="open",topic="${topic}"`)
  await until('a hanging transaction', async () => (await hangingHere()) === 1)
  const isHeldUp = async () => (await metric('orderly_kafka_partition_unstable_records', ofPartition)) === 2
  await until('two records held up', isHeldUp)
  await transactional.end('abort')
  const isFree = async () => (await metric('orderly_kafka_partition_unstable_records', ofPartition)) === 0
  await until('nothing held up', isFree)
  await until('no hanging transaction', async () => (await hangingHere()) === 0)

  assert.equal(await metric('orderly_kafka_brokers'), 1)
  assert.equal(await metric('orderly_kafka_controller_id'), 1)
  assert.equal(await metric('orderly_kafka_offline_partitions'), 0)
  assert.equal(await metric('orderly_monitor_observation_failures_total'), 0)
})
