import assert from 'node:assert/strict'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { checkConnection } from '@orderly/kafka'
import { integrationEnvironment, startBroker } from '@orderly/launcher/testing'
import { chooseJava, findJavas } from '../preflight/java.ts'
import { freePorts } from '../processes/ports.ts'
import { superviseRun } from '../testing/supervised-run.ts'
import { startKafka } from './kafka.ts'
import { query } from './postgres-database.ts'

test('the shared Kafka, Postgres and schema registry respond', async () => {
  const { kafkaBrokers, registryURL, databaseURL } = integrationEnvironment()
  await checkConnection({ brokers: kafkaBrokers, clientID: 'test' })
  const subjects = await fetch(`${registryURL}/subjects`)
  assert.ok(Array.isArray(await subjects.json()))
  await query(await databaseURL(), 'create table empty_database (id int)')
})

test('the registry refuses requests from web pages of other origins', async () => {
  const { registryURL } = integrationEnvironment()
  const { origin } = new URL(registryURL)
  for (const page of ['https://evil.test', 'http://localhost:8888', 'http://127.0.0.1:8888', 'null']) {
    const headers = { origin: page, 'content-type': 'text/plain' }
    const read = await fetch(`${registryURL}/subjects`, { headers })
    assert.deepEqual([read.status, read.headers.get('access-control-allow-origin')], [403, null], page)
    const body = JSON.stringify({ schema: '"string"' })
    const write = await fetch(`${registryURL}/subjects/of-a-page/versions`, { method: 'POST', headers, body })
    assert.equal(write.status, 403, page)
  }
  assert.equal((await fetch(`${registryURL}/subjects`, { headers: { origin } })).status, 200)
})

test('other users cannot read the data, logs and temporary files of a server', async t => {
  const { directories, supervisor } = superviseRun(t, 'test')
  const dataDirectory = join(directories.data, 'kafka')
  const ports = await freePorts(['broker', 'controller'])
  const nodes = [{ id: 1, port: ports.broker, controllerPort: ports.controller }]
  await startKafka({ supervisor, java: chooseJava(findJavas()), dataDirectory, nodes, isShortLived: true })
  for (const directory of [dataDirectory, directories.logs, join(dataDirectory, 'tmp')]) {
    assert.equal(statSync(directory).mode & 0o777, 0o700, directory)
  }
})

test('every call creates a new database', async () => {
  const { databaseURL } = integrationEnvironment()
  assert.notEqual(await databaseURL(), await databaseURL())
})

test('a test broker keeps its address when it is stopped, started and killed', async t => {
  const broker = await startBroker(t)
  const connection = { brokers: broker.brokers, clientID: 'test' }
  await checkConnection(connection)
  await broker.stop()
  await assert.rejects(checkConnection(connection))
  await broker.start()
  await broker.kill()
  await assert.rejects(checkConnection(connection))
  await broker.start()
  await checkConnection(connection)
})
