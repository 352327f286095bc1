import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { createTopics, deadLetterTopic, runStage } from '@orderly/kafka'
import { ScriptedProducer, textCodec } from '@orderly/kafka/testing'
import { integrationEnvironment } from '@orderly/stack/testing'
import { askTool, runTool } from '../testing/run-tool.ts'

const { kafkaBrokers, registryURL, databaseURL } = integrationEnvironment()
const connection = { brokers: kafkaBrokers, clientID: 'integration-test' }
const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

interface Findings {
  readonly findings: readonly { readonly about: string; readonly what: string; readonly todo: string }[]
}

test('the doctor finds a transaction that hangs, and the partition that does not move because of it', async t => {
  const topic = `hung-${randomUUID()}`
  await createTopics(
    connection,
    [topic, deadLetterTopic(topic)].map(name => ({ name, partitions: 1, replicationFactor: 1 }))
  )
  const stage = runStage(
    {
      name: 'held',
      group: `group-${topic}`,
      inputs: [{ name: topic, eventType: 'Text', codec: textCodec }],
      process: async () => []
    },
    { connection, delivery: 'at-least-once', isTransient: () => false, logger: silent }
  )
  t.after(() => stage.stop())
  const hanging = await new ScriptedProducer(connection, `hanging-${topic}`).init()
  t.after(() => hanging.close())
  await hanging.write(topic, 0, ['never ended'])
  while (!stage.isReady()) await new Promise(resolve => setTimeout(resolve, 20))
  const environment = {
    KAFKA_BROKERS: kafkaBrokers.join(','),
    SCHEMA_REGISTRY_URL: registryURL,
    DATABASE_URL: await databaseURL()
  }
  const { findings } = await askTool<Findings>(environment, 'doctor', '--waiting', '0', '--transaction', '0')
  const transaction = findings.find(({ what }) => what.includes(`hanging-${topic}`))
  assert.match(transaction?.what ?? '', new RegExp(`is open since .* and holds up ${topic}/0`))
  const stuck = findings.find(({ about, what }) => about === `group group-${topic}` && what.includes(`${topic}/0`))
  assert.match(stuck?.todo ?? '', /an open transaction holds it up/)
})

test('servers that do not answer are each a finding of their own, and the doctor exits with 1', async () => {
  const nowhere = {
    KAFKA_BROKERS: '127.0.0.1:1',
    SCHEMA_REGISTRY_URL: 'http://127.0.0.1:1',
    DATABASE_URL: 'postgres://a:b@127.0.0.1:1/c'
  }
  const { code, stdout } = await runTool(nowhere, 'doctor')
  assert.equal(code, 1)
  for (const name of ['kafka', 'postgres', 'schema registry']) {
    assert.match(stdout, new RegExp(`^PROBLEM  ${name}: does not answer: .*[^.]\\. To do: .*[^.]\\.$`, 'm'))
  }
})
