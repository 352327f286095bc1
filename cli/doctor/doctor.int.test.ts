import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { createTopics, deadLetterTopic, runStage } from '@orderly/kafka'
import { ScriptedProducer, textCodec } from '@orderly/kafka/testing'
import { integrationEnvironment } from '@orderly/launcher/testing'
import { askTool, runTool } from '../testing/run-tool.ts'

const { kafkaBrokers, registryURL, databaseURL, databaseURLAs, asSuperuser } = integrationEnvironment()
const connection = { brokers: kafkaBrokers, clientID: 'integration-test' }
const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

interface Findings {
  readonly findings: readonly { readonly about: string; readonly what: string; readonly todo: string }[]
}

test('the doctor reports a hanging transaction and the partition that it blocks', async t => {
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
  assert.match(transaction?.what ?? '', new RegExp(`has been open for .* and blocks ${topic}/0`))
  const stuck = findings.find(({ about, what }) => about === `group group-${topic}` && what.includes(`${topic}/0`))
  assert.match(stuck?.todo ?? '', /an open transaction blocks it/)
})

test('the command that the doctor advises for a topic or a group makes its finding go away', async t => {
  const topic = deadLetterTopic(`short-${randomUUID()}`)
  const group = `unused-${topic}`
  const configs = { 'retention.ms': '3600000', 'cleanup.policy': 'compact', 'retention.bytes': '1048576' }
  await createTopics(connection, [{ name: topic, partitions: 1, replicationFactor: 1, configs }])
  const stage = runStage(
    { name: 'unused', group, inputs: [{ name: topic, eventType: 'Text', codec: textCodec }], process: async () => [] },
    { connection, delivery: 'at-least-once', isTransient: () => false, logger: silent }
  )
  t.after(() => stage.stop())
  while (!stage.isReady()) await new Promise(resolve => setTimeout(resolve, 20))
  const environment = {
    KAFKA_BROKERS: kafkaBrokers.join(','),
    SCHEMA_REGISTRY_URL: registryURL,
    DATABASE_URL: await databaseURL()
  }
  const refused = await runTool(environment, 'groups', 'delete', group)
  assert.match(refused.stderr, /has members: stop the programs/)
  await stage.stop()
  const findings = async () => {
    const { findings } = await askTool<Findings>(environment, 'doctor')
    return findings.filter(({ about }) => about === topic || about === `group ${group}`)
  }
  const found = await findings()
  assert.equal(found.length, 4, JSON.stringify(found))
  for (const { todo } of found) {
    const [, advised = ''] = /npm run orderly -- ((?:topics configure|groups delete) [^;)]+)/.exec(todo) ?? []
    const { code, stderr } = await runTool(environment, ...advised.split(' '))
    assert.equal(code, 0, `${todo}\n${stderr}`)
  }
  assert.deepEqual(await findings(), [])
})

test('each server that does not answer is a finding until its address is set, and the doctor exits with 1', async () => {
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
  for (const setting of ['KAFKA_BROKERS', 'DATABASE_URL', 'SCHEMA_REGISTRY_URL'])
    assert.match(stdout, new RegExp(`set ${setting} to `))
  const { findings } = await askTool<Findings>(
    {
      KAFKA_BROKERS: kafkaBrokers.join(','),
      SCHEMA_REGISTRY_URL: registryURL,
      DATABASE_URL: await databaseURL()
    },
    'doctor'
  )
  assert.deepEqual(
    findings.filter(({ what }) => what.startsWith('does not answer')),
    []
  )
})

test('the doctor reports unsupported database settings and schemas that are not migrated', async t => {
  const url = await databaseURL()
  const environment = {
    KAFKA_BROKERS: kafkaBrokers.join(','),
    SCHEMA_REGISTRY_URL: registryURL,
    DATABASE_URL: databaseURLAs('orderly_operator', url)
  }
  const findings = async () => {
    const { findings } = await askTool<Findings>(environment, 'doctor')
    return findings.filter(({ about }) => about === 'postgres').map(({ what, todo }) => `${what}; ${todo}`)
  }
  // Test servers run without these settings.
  const usual = ['fsync', 'full_page_writes']
  assert.deepEqual(
    (await findings()).map(text => text.split(' ')[0]),
    usual
  )
  const name = new URL(url).pathname.slice(1)
  await asSuperuser(url, `ALTER ROLE orderly_aggregator IN DATABASE ${name} SET synchronous_commit = local`)
  t.after(() => asSuperuser(url, `ALTER ROLE orderly_aggregator IN DATABASE ${name} RESET ALL`))
  await asSuperuser(url, 'DELETE FROM inventory.migrations')
  const more = await findings()
  assert.ok(
    more.some(text => /^the role orderly_aggregator overrides synchronous_commit=local/.test(text)),
    more.join('\n')
  )
  assert.ok(
    more.some(text => /^the schema inventory .*0001_.* has not run\); run `orderly migrate`/.test(text)),
    more.join('\n')
  )
  await asSuperuser(url, `ALTER DATABASE ${name} SET synchronous_commit = off`)
  const refused = await findings()
  assert.match(refused[0] ?? '', /^services cannot use it: synchronous_commit is off/)
})
