import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFile, rm, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type ApiDocument, sendExamples } from '@orderly/service-kit/testing'
import { readNotifications } from '../demo/notifications.ts'
import { orderlyDirectory, projectDirectory } from '../directories.ts'
import { freePorts } from '../processes/ports.ts'
import { waitUntil } from '../processes/wait.ts'
import { type LauncherProcess, startLauncher } from '../testing/launcher.ts'
import { processesUnder } from '../testing/process-list.ts'

const ready = 'Ctrl-C stops everything'
const portNames = [
  'KAFKA',
  'KAFKA_CONTROLLER',
  'POSTGRES',
  'REGISTRY',
  'ORDER',
  'INVENTORY',
  'NOTIFICATION',
  'AGGREGATOR'
] as const

/** Creates a stack with separate data and ports, independent of other stacks on this machine. */
async function createStack(t: TestContext) {
  const name = `e2e-${randomBytes(4).toString('hex')}`
  const directory = join(orderlyDirectory, name)
  const ports = await freePorts(portNames)
  const env = Object.fromEntries(portNames.map(port => [`ORDERLY_${port}_PORT`, String(ports[port])]))
  const starts: LauncherProcess[] = []
  t.after(async () => {
    await Promise.all(starts.map(({ child, ended }) => child.kill('SIGTERM') && ended()))
    await rm(directory, { recursive: true, force: true })
  })
  return {
    directory,
    start(args: readonly string[] = [], more: NodeJS.ProcessEnv = {}) {
      const start = startLauncher(t, 'start', ['--run', name, ...args], { ...env, ...more })
      starts.push(start)
      return start
    },
    async order(userID: string): Promise<number> {
      const response = await fetch(`http://127.0.0.1:${ports.ORDER}/orders`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ userID, items: [{ sku: 'TEAPOT-CAST-IRON', quantity: 1 }], total: 89 })
      })
      return response.status
    },
    url: (service: 'ORDER' | 'INVENTORY' | 'NOTIFICATION' | 'AGGREGATOR') => `http://127.0.0.1:${ports[service]}`,
    logged: async (service: string, text: string) =>
      (await readFile(join(directory, 'logs', `${service}.log`), 'utf8')).split(text).length - 1,
    notifications: () => readNotifications(join(directory, 'logs', 'notification.log'))
  }
}

type Stack = Awaited<ReturnType<typeof createStack>>

async function reported(stack: Stack, userID: string): Promise<string | undefined> {
  const find = async () => (await stack.notifications()).find(notification => notification.userID === userID)
  await waitUntil(async () => (await find()) !== undefined, { what: `a notification of ${userID}`, deadlineMs: 30_000 })
  return (await find())?.subject
}

test('a stack stopped by Ctrl-C or SIGTERM leaves no process, and the next start continues with its data', async t => {
  const stack = await createStack(t)

  const first = stack.start()
  await first.waitFor(ready)
  assert.doesNotMatch(first.output().stdout, /NOT HEALTHY/)
  assert.match(first.output().stdout, /curl -i http:\/\/127\.0\.0\.1:\d+\/orders/)
  assert.equal(await stack.order('first-user'), 202)
  assert.equal(await reported(stack, 'first-user'), 'Order reserved')

  const second = await stack.start().ended()
  assert.equal(second.code, 1)
  assert.match(second.stderr, new RegExp(`^Orderly is already running here \\(process ${first.child.pid}\\): .*\n$`))

  first.child.kill('SIGINT')
  assert.equal((await first.ended()).code, 0)
  assert.deepEqual(await processesUnder(stack.directory), [])

  const again = stack.start([], { ORDERLY_PARTITIONS: '6' })
  await again.waitFor(ready)
  assert.match(again.output().stderr, /^ORDERLY_PARTITIONS=6 has no effect on topics that exist/m)
  assert.match(again.output().stderr, /^ {2}npm run orderly -- topics grow orders\.created --partitions 6$/m)
  assert.match(again.output().stdout, /^Notifications: see \S+\/logs\/notification\.log$/m)
  assert.equal(await stack.order('second-user'), 202)
  assert.equal(
    await reported(stack, 'second-user'),
    'Order failed: out of stock',
    'the only teapot was sold before the restart'
  )

  again.child.kill('SIGTERM')
  assert.equal((await again.ended()).code, 0)
  assert.deepEqual(await processesUnder(stack.directory), [])
})

test('the API page of a fresh stack is found from every service, and all its examples work', async t => {
  const stack = await createStack(t)
  const start = stack.start()
  await start.waitFor(ready)
  const [order, inventory, aggregator] = (['ORDER', 'INVENTORY', 'AGGREGATOR'] as const).map(stack.url)
  assert.match(start.output().stdout, new RegExp(`API: +${order}/docs \\(order, inventory, aggregator\\)`))

  const other = (await (await fetch(`${order}/docs/api/inventory.json`)).json()) as { servers: unknown }
  assert.deepEqual(other.servers, [{ url: inventory }])
  assert.equal((await fetch(stack.url('NOTIFICATION'))).url, `${order}/docs`)
  for (const url of [order, inventory, aggregator] as string[]) {
    const page = await fetch(url)
    assert.deepEqual([page.status, page.url], [200, `${url}/docs`])
    const document = (await (await fetch(`${url}/openapi.json`)).json()) as ApiDocument
    for (let round = 1; round <= 2; round++) {
      for (const { operationID, statuses } of await sendExamples(document, url)) {
        for (const status of statuses) assert.equal(Math.floor(status / 100), 2, `${operationID}: ${status}`)
      }
    }
  }
  start.child.kill('SIGINT')
  assert.equal((await start.ended()).code, 0)
})

test('a launcher killed by SIGKILL leaves no process, and the next start continues with the accepted orders', async t => {
  const stack = await createStack(t)
  const killed = stack.start()
  await killed.waitFor(ready)
  assert.equal(await stack.order('early-user'), 202)
  killed.child.kill('SIGKILL')

  const next = stack.start()
  await next.waitFor(ready)
  assert.equal(await reported(stack, 'early-user'), 'Order reserved')
  next.child.kill('SIGINT')
  assert.equal((await next.ended()).code, 0)
  assert.deepEqual(await processesUnder(stack.directory), [])
})

test('a stop during the start leaves no process', async t => {
  const stack = await createStack(t)
  const start = stack.start()
  await start.waitFor('postgres: ready')
  start.child.kill('SIGINT')
  assert.equal((await start.ended()).code, 130)
  assert.deepEqual(await processesUnder(stack.directory), [])
})

test('with --watch a service restarts when a file of it or of its worker thread changes, and all services stop gracefully', async t => {
  const stack = await createStack(t)
  const dev = stack.start(['--watch'])
  await dev.waitFor(ready)
  for (const [service, file] of [
    ['notification', 'domain/wording/en.ts'],
    ['order', 'projection/status-stage.ts']
  ] as const) {
    const now = new Date()
    await utimes(join(projectDirectory, 'services', service, file), now, now)
    const startedAnew = async () => (await stack.logged(service, '"msg":"listening"')) === 2
    await waitUntil(startedAnew, { what: `another start of ${service}`, deadlineMs: 60_000 })
  }
  await waitUntil(async () => (await stack.order('a-developer').catch(() => 0)) === 202, {
    what: 'an accepted order',
    deadlineMs: 30_000
  })
  assert.equal(await reported(stack, 'a-developer'), 'Order reserved')
  dev.child.kill('SIGINT')
  assert.equal((await dev.ended()).code, 0)
  for (const service of ['order', 'inventory', 'notification', 'aggregator']) {
    const [stops, orderly] = await Promise.all(
      ['stopping', 'stopped'].map(msg => stack.logged(service, `"msg":"${msg}"`))
    )
    assert.equal(stops, orderly, `${service} did not stop gracefully`)
    assert.equal(await stack.logged(service, 'second signal'), 0)
  }
  assert.deepEqual(await processesUnder(stack.directory), [])
})
