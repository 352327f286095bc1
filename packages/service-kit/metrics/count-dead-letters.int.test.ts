import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import {
  createProducer,
  createTopics,
  deadLetterTopic,
  executeOnDeadLetters,
  planReplay,
  runStage
} from '@orderly/kafka'
import { textCodec } from '@orderly/kafka/testing'
import { waitUntil } from '@orderly/launcher'
import { integrationEnvironment } from '@orderly/launcher/testing'
import { Registry } from 'prom-client'
import { recordLog } from '../testing/index.ts'
import { countDeadLetters } from './count-dead-letters.ts'

const { kafkaBrokers } = integrationEnvironment()
const connection = { brokers: kafkaBrokers, clientID: 'dead-letters-test' }
const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

test('pending dead letters are counted with their age and blocked keys until they are replayed', async t => {
  const topic = `monitored-${randomUUID()}`
  const deadLetters = deadLetterTopic(topic)
  await createTopics(
    connection,
    [topic, deadLetters].map(name => ({ name, partitions: 2, replicationFactor: 1 }))
  )
  const producer = await createProducer(connection)
  t.after(() => producer.close())
  const metrics = new Registry()
  const { logger, lines } = recordLog()
  const absent = deadLetterTopic(`absent-${topic}`)
  const onStop = (_: string, release: () => unknown) => t.after(async () => await release())
  countDeadLetters({ logger, metrics, onStop }, { connection, topics: [deadLetters, absent], everyMs: 200 })
  const counts = async () => {
    const lines = (await metrics.metrics()).split('\n')
    const metric = (name: string) => {
      const line = lines.find(each => each.startsWith(`orderly_dead_letters_${name}{topic="${deadLetters}"`))
      return line === undefined ? undefined : Number(line.split(' ').at(-1))
    }
    return { waiting: metric('waiting'), blockedKeys: metric('blocked_keys'), ageSeconds: metric('oldest_age_seconds') }
  }
  const until = async (what: string, waiting: number, blockedKeys: number) => {
    const isSo = async () => {
      const found = await counts()
      return found.waiting === waiting && found.blockedKeys === blockedKeys
    }
    await waitUntil(isSo, { what, deadlineMs: 60_000 })
    return (await counts()).ageSeconds ?? Number.NaN
  }

  assert.equal(await until('an empty topic', 0, 0), 0)
  let isRepaired = false
  const stage = runStage(
    {
      name: 'broken',
      group: `group-${topic}`,
      inputs: [{ name: topic, eventType: 'Text', codec: textCodec }],
      process: async () => {
        if (!isRepaired) throw new Error('not yet')
        return []
      }
    },
    { connection, transactionalID: `stage-${topic}`, isTransient: () => false, logger: silent }
  )
  t.after(() => stage.stop())
  const send = (key: string | null, ageMs = 0) =>
    producer.send([{ topic, key, value: Buffer.from('v'), headers: {}, timestampMs: Date.now() - ageMs }])
  await send('a', 90_000)
  await send('a')
  await send('b')
  await send(null)
  const ageSeconds = await until('four dead letters', 4, 2)
  // The counter may have read its clock before the record was sent.
  assert.ok(ageSeconds > 80 && ageSeconds < 180, `${ageSeconds} s`)
  isRepaired = true
  await executeOnDeadLetters(
    connection,
    {
      topic: deadLetters,
      plan: keys =>
        planReplay(
          keys.filter(({ key }) => key !== null),
          'a replay'
        ),
      audit: () => ({ topic, key: 'audit', value: Buffer.from('v'), headers: {} }),
      ratePerSecond: 500
    },
    { signal: t.signal, waitMs: 60_000 }
  )
  await until('the dead letter without a key', 1, 0)
  assert.doesNotMatch(await metrics.metrics(), new RegExp(absent), 'a topic that does not exist has no count')
  assert.deepEqual(
    lines.filter(({ level }) => level === 'warn'),
    []
  )
})
