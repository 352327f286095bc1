import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { topicConfig } from '@orderly/contracts'
import { checkConnection, createTopics, grantAccess, type KafkaConnection } from '@orderly/kafka'
import { waitUntil } from '@orderly/launcher'
import { integrationEnvironment, runKafkaTool, startBroker } from '@orderly/launcher/testing'
import { grants } from '../../deploy/kafka/principals.ts'
import { askTool, runTool } from '../testing/run-tool.ts'
import type { Finding } from './finding.ts'

test('every finding about replicas goes away once its advice is followed', { timeout: 600_000 }, async t => {
  const broker = await startBroker(t, { count: 3 })
  const connection = { brokers: broker.brokers, clientID: 'remedies-test' }
  const { registryURL, databaseURL } = integrationEnvironment()
  const environment = {
    ...{ KAFKA_BROKERS: broker.brokers.join(','), SCHEMA_REGISTRY_URL: registryURL },
    DATABASE_URL: await databaseURL()
  }
  const own = ['orders.created', 'inventory.reserved', 'inventory.failed']
  const diagnose = async () => {
    const { findings } = await askTool<{ findings: Finding[] }>(environment, 'doctor')
    return findings.filter(({ about, what }) => own.includes(about) && what !== 'is missing')
  }
  const untilNone = async () => {
    let left: Finding[] = []
    const isNone = async () => {
      left = await diagnose()
      return left.length === 0
    }
    await waitUntil(isNone, { what: 'no finding', deadlineMs: 120_000 }).catch(() => assert.deepEqual(left, []))
  }
  const topic = (name: string, replicationFactor: number, inSync: string) => ({
    ...{ name, partitions: 3, replicationFactor },
    configs: { ...topicConfig(name), 'min.insync.replicas': inSync }
  })
  await createTopics(connection, [
    topic('orders.created', 1, '1'),
    topic('inventory.reserved', 3, '1'),
    topic('inventory.failed', 3, '3')
  ])

  await t.test('replicas and settings that a failure of one broker makes dangerous', async t => {
    const expected = [
      'inventory.failed: has min.insync.replicas 3 with 3 replicas',
      'inventory.reserved: has min.insync.replicas 1 with 3 replicas',
      'orders.created: has 1 replica on 3 brokers'
    ]
    let found: Finding[] = []
    // A broker may not know the new topics yet.
    const isAsExpected = async () => {
      found = await diagnose()
      return isDeepStrictEqual(found.map(({ about, what }) => `${about}: ${what}`).toSorted(), expected)
    }
    await waitUntil(isAsExpected, { what: 'the findings', deadlineMs: 120_000 })
    for (const { todo } of found.filter(({ about }) => about !== 'orders.created')) {
      const [, advised = ''] = /npm run orderly -- (topics configure [^;)]+)/.exec(todo) ?? []
      assert.equal((await runTool(environment, ...advised.split(' '))).code, 0, todo)
    }
    // The partition has too few replicas, so a failure of its broker leaves it without a leader.
    broker.killOne(3)
    const isLeaderless = async () =>
      (await diagnose()).some(({ about, what }) => about === 'orders.created' && /without a leader/.test(what))
    await waitUntil(isLeaderless, { what: 'a partition without a leader', deadlineMs: 120_000 })
    await broker.startOne(3)
    const directory = await mkdtemp(join(tmpdir(), 'reassign-'))
    t.after(() => rm(directory, { recursive: true }))
    const plan = join(directory, 'plan.json')
    const partitions = [0, 1, 2].map(partition => ({ topic: 'orders.created', partition, replicas: [1, 2, 3] }))
    await writeFile(plan, JSON.stringify({ version: 1, partitions }))
    const file = ['--reassignment-json-file', plan, '--execute']
    await runKafkaTool('org.apache.kafka.tools.reassign.ReassignPartitionsCommand', [
      ...['--bootstrap-server', broker.brokers.join(',')],
      ...file
    ])
    const { todo } = found.find(({ about }) => about === 'orders.created') as Finding
    assert.match(todo, /kafka-reassign-partitions\.sh/)
    // With one replica in sync, the doctor reports a topic that has three.
    await runTool(environment, 'topics', 'configure', 'orders.created', '--set', 'min.insync.replicas=2')
    await untilNone()
  })

  await t.test('replicas out of sync', async () => {
    broker.killOne(2)
    const isBehind = async () => (await diagnose()).some(({ what }) => /replicas that are out of sync/.test(what))
    await waitUntil(isBehind, { what: 'replicas out of sync', deadlineMs: 120_000 })
    await broker.startOne(2)
    await untilNone()
  })
})

test('a user that may not read the settings of brokers may do so once the right is granted', async t => {
  const users = { admin: 'password-of-admin', limited: 'password-of-limited' }
  const broker = await startBroker(t, { users, denyByDefault: true })
  const { brokers, certificate } = broker.secure as NonNullable<typeof broker.secure>
  const admin: KafkaConnection = {
    ...{ brokers, clientID: 'remedies-test', tls: { ca: certificate } },
    sasl: { mechanism: 'SCRAM-SHA-512', username: 'admin', password: users.admin }
  }
  const isOpen = () => checkConnection(admin).then(() => true)
  await waitUntil(isOpen, { what: 'the TLS listener', deadlineMs: 60_000 })
  const own = grants
    .filter(({ principal }) => principal === 'operator')
    .map(grant => ({ ...grant, principal: 'limited' }))
  const withoutSettings = own.map(grant => {
    if (grant.resource !== 'cluster') return grant
    return { ...grant, operations: grant.operations.filter(operation => operation !== 'describeConfigs') }
  })
  await grantAccess(admin, withoutSettings)
  const directory = await mkdtemp(join(tmpdir(), 'certificate-'))
  t.after(() => rm(directory, { recursive: true }))
  const certificateFile = join(directory, 'ca.pem')
  await writeFile(certificateFile, certificate)
  const { registryURL, databaseURL } = integrationEnvironment()
  const environment = {
    ...{ KAFKA_BROKERS: brokers.join(','), KAFKA_TLS: 'true', KAFKA_TLS_CA_FILE: certificateFile },
    ...{ KAFKA_SASL_MECHANISM: 'SCRAM-SHA-512', KAFKA_SASL_USERNAME: 'limited', KAFKA_SASL_PASSWORD: users.limited },
    ...{ SCHEMA_REGISTRY_URL: registryURL, DATABASE_URL: await databaseURL() }
  }
  const diagnose = async () => {
    const { findings } = await askTool<{ findings: Finding[] }>(environment, 'doctor')
    return findings.filter(({ about }) => about === 'kafka')
  }
  const [found, ...others] = await diagnose()
  assert.match(found?.what ?? '', /^the settings of brokers cannot be read/)
  assert.match(found?.todo ?? '', /^allow this user DescribeConfigs on the cluster/)
  assert.deepEqual(others, [])
  await grantAccess(admin, own)
  assert.deepEqual(await diagnose(), [])
})
