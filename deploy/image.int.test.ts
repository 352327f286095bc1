import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { checkConnection, createInspector, grantAccess, type KafkaConnection } from '@orderly/kafka'
import { type ServiceName, waitUntil } from '@orderly/launcher'
import { integrationEnvironment, startBroker, startService } from '@orderly/launcher/testing'
import { askHealth, environmentOf } from './testing/compose.ts'
import { dryBuild } from './testing/dry-build.ts'
import {
  grantsOfUsers,
  type PodMonitor,
  probesOf,
  type StatefulSet,
  settingsOf,
  type Topic
} from './testing/kubernetes.ts'
import { manifestsOf } from './testing/manifests.ts'

const run = promisify(execFile)
const password = (name: string) => `the-password-of-${name}`

test('with the grants of the manifests, the image runs every service as its manifest specifies, and an order is decided and notified', async t => {
  const home = mkdtempSync(join(tmpdir(), 'orderly-image-'))
  t.after(() => rmSync(home, { recursive: true, force: true }))
  const users = manifestsOf('KafkaUser').map(({ metadata }) => metadata.name)
  const { registryURL, databaseURL } = integrationEnvironment()
  const [{ directory: image, environment: ofBuild }, database, broker] = await Promise.all([
    dryBuild('service', home),
    databaseURL(),
    startBroker(t, {
      users: Object.fromEntries([...users, 'admin'].map(name => [name, password(name)])),
      denyByDefault: true
    })
  ])
  const { brokers, certificate } = broker.secure as NonNullable<typeof broker.secure>
  const admin: KafkaConnection = {
    ...{ brokers, clientID: 'image-test', tls: { ca: certificate } },
    sasl: { mechanism: 'SCRAM-SHA-512', username: 'admin', password: password('admin') }
  }
  const isOpen = () => checkConnection(admin).then(() => true)
  await waitUntil(isOpen, { what: 'the TLS listener', deadlineMs: 60_000 })
  await grantAccess(admin, grantsOfUsers())
  const ofImage = (args: readonly string[], env: NodeJS.ProcessEnv) => run(process.execPath, args, { cwd: image, env })

  // Creates the topics as the compose file does. The manifests of Strimzi must declare the same
  // topics.
  const places = { KAFKA_BROKERS: broker.brokers.join(','), SCHEMA_REGISTRY_URL: registryURL, DATABASE_URL: database }
  await ofImage(['deploy/setup/topics.ts'], { ...environmentOf('topics'), ...places })
  const inspector = createInspector(admin)
  t.after(() => inspector.close())
  const topics = manifestsOf<Topic>('KafkaTopic')
  const configs = await inspector.topicConfigs(topics.map(({ spec }) => spec.topicName))
  for (const { spec } of topics) {
    const { 'min.insync.replicas': _ofThree, ...wanted } = spec.config
    const own = [...(configs.get(spec.topicName)?.values() ?? [])].filter(({ isOwn }) => isOwn)
    assert.deepEqual(Object.fromEntries(own.map(({ name, value }) => [name, value])), wanted, spec.topicName)
  }

  const certificateFile = join(home, 'ca.crt')
  await writeFile(certificateFile, certificate)
  const here = {
    ...{ ...places, KAFKA_BROKERS: brokers.join(','), KAFKA_TLS_CA_FILE: certificateFile },
    ...{ ...ofBuild, HTTP_HOST: '127.0.0.1', HTTP_PORT: '0' }
  }
  const scraped = manifestsOf<PodMonitor>('PodMonitor').find(({ metadata }) => metadata.name === 'orderly')
  const [metricsPath] = scraped?.spec.podMetricsEndpoints.map(({ path }) => path) ?? []
  const start = async (manifest: (typeof sets)[number]) => {
    const name = manifest.metadata.name as ServiceName
    const service = await startService(t, name, { ...settingsOf(manifest, { password }), ...here }, image)
    for (const path of probesOf(manifest)) assert.equal((await fetch(service.url + path)).status, 200, name + path)
    const metrics = await (await fetch(service.url + metricsPath)).text()
    assert.match(metrics, new RegExp(`^nodejs_version_info\\{.*service="${name}"`, 'm'))
    // Runs the health check of the compose file.
    const [program = '', ...ask] = askHealth(name)
    assert.equal(program, 'node')
    await ofImage(ask, { HTTP_PORT: new URL(service.url).port })
    return [name, service] as const
  }
  const sets = manifestsOf<StatefulSet>('StatefulSet')
  const services = Object.fromEntries(await Promise.all(sets.map(start)))

  const { stdout: key } = await ofImage(
    ['services/order/api-keys.ts', 'create', '--name', 'berlin', '--role', 'shop'],
    places
  )
  const answer = await fetch(`${services.order?.url}/orders`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${key.trim()}`, prefer: 'wait=30' },
    body: JSON.stringify({ userID: 'ada', items: [{ sku: 'TEA', quantity: 1 }], total: 1 })
  })
  const { orderID, status } = (await answer.json()) as { orderID: string; status: string }
  // The stock is empty, so the order fails.
  assert.equal(status, 'failed')
  const isReported = async () =>
    ((await services.notification?.logs()) ?? []).some(
      ({ notification }) => (notification as { orderID?: string })?.orderID === orderID
    )
  await waitUntil(isReported, { what: 'the notification', deadlineMs: 30_000 })
})
