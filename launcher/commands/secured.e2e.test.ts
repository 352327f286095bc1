import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import {
  checkConnection,
  createProducer,
  createTopics,
  type Grant,
  grantAccess,
  type KafkaConnection,
  type KafkaError
} from '@orderly/kafka'
import { startBroker } from '@orderly/launcher/testing'
import { credentialsFileOf, databaseAccess } from '../components/postgres-credentials.ts'
import { query } from '../components/postgres-database.ts'
import { runOrders } from '../demo/run-orders.ts'
import { projectDirectory } from '../directories.ts'
import { extraPorts } from '../extras.ts'
import { freePorts } from '../processes/ports.ts'
import { waitUntil } from '../processes/wait.ts'
import { serverPorts } from '../servers.ts'
import { serviceNames } from '../services.ts'
import { startStack } from '../stack.ts'
import { showLines } from '../terminal/steps.ts'
import { ownEnvironment } from '../testing/own-environment.ts'
import { superviseRun } from '../testing/supervised-run.ts'

const password = (name: string) => `the-password-of-${name}`
const principals = [...serviceNames, 'audit', 'provisioner', 'admin', 'stranger']

test('with TLS, SCRAM and only the grants of acls.json, every order is processed, and no principal can do more', async t => {
  // Registered before the broker, so that it stops first: a client that cannot reach the broker
  // takes long to stop.
  const { directories, supervisor } = superviseRun(t, 'test')
  const broker = await startBroker(t, {
    users: Object.fromEntries(principals.map(name => [name, password(name)])),
    denyByDefault: true
  })
  const { brokers, certificate } = broker.secure as NonNullable<typeof broker.secure>
  const as = (username: string): KafkaConnection => ({
    ...{ brokers, clientID: 'secured-test', tls: { ca: certificate } },
    sasl: { mechanism: 'SCRAM-SHA-512', username, password: password(username) }
  })
  const isOpen = () => checkConnection(as('admin')).then(() => true)
  await waitUntil(isOpen, { what: 'the TLS listener', deadlineMs: 60_000 })
  const acls = await readFile(join(projectDirectory, 'deploy', 'kafka', 'acls.json'), 'utf8')
  await grantAccess(as('admin'), (JSON.parse(acls) as { grants: Grant[] }).grants)
  await createTopics(as('provisioner'), [{ name: 'notifications.dlq', partitions: 1, replicationFactor: 1 }])

  const caFile = join(directories.run, 'broker.pem')
  await writeFile(caFile, certificate)
  const login = (name: string) => ({ KAFKA_SASL_USERNAME: name, KAFKA_SASL_PASSWORD: password(name) })
  const { components, orderURL } = await startStack({
    ...{ supervisor, directories, durable: false, partitions: 4, show: showLines, extras: new Set(['connect']) },
    ports: await freePorts([...serverPorts, ...serviceNames, ...extraPorts]),
    environment: {
      ...ownEnvironment(),
      KAFKA_BROKERS: brokers.join(','),
      KAFKA_TLS: 'true',
      KAFKA_TLS_CA_FILE: caFile,
      KAFKA_SASL_MECHANISM: 'SCRAM-SHA-512',
      ...login('provisioner')
    },
    ownEnvironment: name => login(name === 'connect' ? 'audit' : name)
  })
  const processOf = (name: string) => {
    const child = components.find(component => component.name === name)?.processes[0]
    assert.ok(child, name)
    return child
  }

  const { verdicts, unexpected } = await runOrders(orderURL, processOf('notification'), t.signal)
  assert.ok(verdicts.length > 5)
  assert.deepEqual(
    verdicts.filter(({ asExpected }) => !asExpected),
    []
  )
  assert.deepEqual(unexpected, [])

  const accepted = verdicts.filter(({ outcome }) => outcome !== 'refused').length
  const databaseURL = databaseAccess(credentialsFileOf(join(directories.data, 'postgres'))).urlOf('orderly_operator')
  const isAudited = async () => {
    const [row] = await query(databaseURL, 'SELECT count(*) FROM audit.orders_created')
    return Number(row?.count) === accepted
  }
  await waitUntil(isAudited, { what: `${accepted} orders in the audit`, deadlineMs: 30_000 })

  for (const [name, topic] of [
    ['stranger', 'orders.created'],
    ['notification', 'inventory.reserved'],
    ['order', 'inventory.reserved'],
    ['inventory', 'orders.created'],
    ['audit', 'orders.created']
  ] as const) {
    const producer = await createProducer(as(name))
    try {
      const write = producer.send([{ topic, key: 'k', value: Buffer.from('v'), headers: {} }])
      const isDenial = (error: unknown) => /^(TOPIC|CLUSTER)_AUTHORIZATION_FAILED$/.test((error as KafkaError).code)
      await assert.rejects(write, isDenial, `${name} may write ${topic}`)
    } finally {
      await producer.close()
    }
  }
})
