import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { createConnections } from '../connections/connections.ts'
import { askAlerts, askConnect } from './optional-servers.ts'

async function serve(t: TestContext, answers: Readonly<Record<string, unknown>>) {
  const requests: (string | undefined)[] = []
  const server = createServer(({ url = '', headers }, response) => {
    requests.push(headers.authorization)
    if (!(url in answers)) response.writeHead(503)
    response.end(JSON.stringify(answers[url]))
  })
  t.after(() => server.close().closeAllConnections())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, requests }
}

const settings = { ORDERLY_PROFILE: 'prod' }

test('connectors are read with the state and the first trace line of each task', async t => {
  const trace = 'java.lang.Error: no table\n\tat Sink.put(Sink.java:7)'
  const { address, requests } = await serve(t, {
    '/connectors?expand=status': {
      audit: {
        status: { connector: { state: 'RUNNING' }, tasks: [{ id: 0, state: 'FAILED', trace }] }
      }
    }
  })
  const connections = createConnections({ ...settings, CONNECT_URL: `http://ops:s%40fe@${address}/` })
  const { name, state, tasks } = await askConnect(connections).then(found => {
    assert.equal(found.kind, 'answered')
    return found.kind === 'answered' && found.answer[0] ? found.answer[0] : assert.fail()
  })
  assert.deepEqual(
    [name, state, tasks],
    ['audit', 'RUNNING', [{ id: 0, state: 'FAILED', trace: 'java.lang.Error: no table' }]]
  )
  assert.deepEqual(requests, [`Basic ${Buffer.from('ops:s@fe').toString('base64')}`])
})

test('a task that only an operator can let continue is recognized by any cause in its trace', async t => {
  const trace =
    'org.apache.kafka.connect.errors.ConnectException: Exiting\n\tat a.b(C.java:1)\nCaused by: com.orderly.connect.OperatorNeeded: The topic a was created again'
  const { address } = await serve(t, {
    '/connectors?expand=status': {
      audit: { status: { connector: { state: 'RUNNING' }, tasks: [{ id: 0, state: 'FAILED', trace }] } }
    }
  })
  const found = await askConnect(createConnections({ ...settings, CONNECT_URL: `http://${address}` }))
  assert.equal(found.kind === 'answered' && found.answer[0]?.operatorNeeded, 'The topic a was created again')
})

test('only firing alerts are read, without the watchdog', async t => {
  const alert = (alertname: string, state: string, severity = 'page') => ({
    ...{ state, activeAt: '2026-03-01T12:00:00Z', labels: { alertname, severity } },
    annotations: { summary: 'why', runbook: 'docs/runbooks/a.md' }
  })
  const { address } = await serve(t, {
    '/api/v1/alerts': {
      status: 'success',
      data: { alerts: [alert('A', 'firing'), alert('B', 'pending'), alert('Watchdog', 'firing', 'none')] }
    }
  })
  const connections = createConnections({ ...settings, PROMETHEUS_URL: `http://${address}` })
  const sinceMs = Date.parse('2026-03-01T12:00:00Z')
  assert.deepEqual(await askAlerts(connections), {
    kind: 'answered',
    answer: [{ name: 'A', severity: 'page', summary: 'why', runbook: 'docs/runbooks/a.md', sinceMs }]
  })
})

test('an unreachable server is failed if its address was set and absent otherwise, and the failure contains no password', async t => {
  const { address } = await serve(t, { '/connectors?expand=status': [1] })
  const given = createConnections({
    ...settings,
    PROMETHEUS_URL: `http://ops:hidden@${address}`,
    CONNECT_URL: `http://${address}`
  })
  assert.deepEqual(await askAlerts(given), { kind: 'failed', failure: `http://${address} answered 503` })
  assert.equal((await askConnect(given)).kind, 'failed')
  assert.deepEqual(await askAlerts(createConnections(settings)), { kind: 'absent' })
  const port = address.split(':')[1]
  const launchers = createConnections({ ORDERLY_PROFILE: 'dev', ORDERLY_STACK: 'none', ORDERLY_PROMETHEUS_PORT: port })
  assert.deepEqual(await askAlerts(launchers), { kind: 'absent' })
})
