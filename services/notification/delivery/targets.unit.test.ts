import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { recordLog } from '@orderly/service-kit/testing'
import type { StoredEndpoint } from '../store/endpoints.ts'
import { createMemoryDeliveryStore } from '../store/testing/memory.ts'
import { accepted, notification, ofAll } from '../testing/notifications.ts'
import type { DeliveryLoop } from './delivery-loop.ts'
import { startTargets } from './targets.ts'
import { createMemorySink } from './testing/memory.ts'

function endpoint(fields: Partial<StoredEndpoint> & { readonly target: string }): StoredEndpoint {
  return {
    name: 'shop',
    caller: 'berlin',
    url: 'https://hidden.example',
    secrets: ['hidden'],
    isDisabled: false,
    ...fields
  }
}

async function setUp(t: TestContext, ...first: StoredEndpoint[]) {
  const deliveryStore = createMemoryDeliveryStore()
  const { logger, lines } = recordLog()
  let endpoints: readonly StoredEndpoint[] | Error = first
  /** Starts and ends of loops and sinks, in order. */
  const events: string[] = []
  let holdStops: Promise<void> = Promise.resolve()
  const loops = new Map<string, DeliveryLoop>()
  const targets = await startTargets({
    configured: [createMemorySink({ target: 'console' })],
    readEndpoints: async () => {
      if (endpoints instanceof Error) throw endpoints
      return endpoints
    },
    createSink({ target, url }) {
      if (url === 'wrong') return { problem: 'its URL is wrong' }
      return {
        ...createMemorySink({ target }),
        fingerprint: url,
        close: async () => void events.push(`closed ${target}`)
      }
    },
    startLoop({ target }): DeliveryLoop {
      events.push(`started ${target}`)
      return {
        wake: () => void events.push(`woke ${target}`),
        async stop() {
          events.push(`stopping ${target}`)
          if (target !== 'console') await holdStops
          events.push(`stopped ${target}`)
        }
      }
    },
    ...{ loops, deliveryStore, logger, refreshMs: 1, pollMs: 1 }
  })
  t.after(() => targets.stop(0))
  const has = (event: string) => events.includes(event)
  return {
    deliveryStore,
    targets,
    events,
    lines,
    set: (...next: StoredEndpoint[]) => {
      endpoints = next
    },
    fail: () => {
      endpoints = new Error('away')
    },
    hold() {
      const { promise, resolve } = Promise.withResolvers<void>()
      holdStops = promise
      return resolve
    },
    async until(event: string) {
      while (!has(event)) await setImmediate()
    }
  }
}

const berlin = endpoint({ target: 'webhook:berlin/shop' })
const paris = endpoint({ target: 'webhook:paris/shop', caller: 'paris' })

test('an endpoint is a recipient while it exists and is enabled', async t => {
  const { targets, set, until, events } = await setUp(t)
  const owners = () => targets.recipients().map(({ target, caller }) => `${target} of ${caller ?? 'all'}`)
  assert.deepEqual(owners(), ['console of all'])
  set(berlin, paris)
  await until('started webhook:paris/shop')
  const both = ['console of all', 'webhook:berlin/shop of berlin', 'webhook:paris/shop of paris']
  assert.deepEqual(owners(), both)
  set({ ...berlin, isDisabled: true }, paris)
  while (owners().length === 3) await setImmediate()
  assert.deepEqual(owners(), [both[0], both[2]])
  assert.deepEqual(
    targets.names(),
    ['console', berlin.target, paris.target],
    'a disabled endpoint keeps its loop, which skips pending deliveries'
  )
  set(berlin, paris)
  while (owners().length === 2) await setImmediate()
  set(paris)
  await until('closed webhook:berlin/shop')
  assert.deepEqual(owners(), [both[0], both[2]])
  assert.deepEqual(targets.names(), ['console', paris.target])
  assert.equal(events.filter(event => event === 'started webhook:berlin/shop').length, 1, 'the endpoint keeps one loop')
})

test('a changed endpoint gets another loop after its former loop has ended, and delays no other endpoint', async t => {
  const { set, until, hold, events } = await setUp(t, berlin)
  await until('started webhook:berlin/shop')
  const release = hold()
  set({ ...berlin, url: 'https://other.example' }, paris)
  await until('started webhook:paris/shop')
  assert.deepEqual(
    events.filter(event => event.includes('berlin')),
    ['started webhook:berlin/shop', 'stopping webhook:berlin/shop']
  )
  release()
  while (events.filter(event => event === 'started webhook:berlin/shop').length < 2) await setImmediate()
  assert.deepEqual(
    events.filter(event => event.includes('berlin') && !event.includes('woke')),
    ['started', 'stopping', 'stopped', 'closed', 'started'].map(what => `${what} webhook:berlin/shop`)
  )
})

test('an invalid endpoint is logged once without its URL and secrets, and used after it is corrected', async t => {
  const wrong = endpoint({ target: 'webhook:berlin/shop', url: 'wrong' })
  const taken = endpoint({ target: 'console' })
  const { targets, set, until, lines } = await setUp(t, wrong, taken, paris)
  await until('started webhook:paris/shop')
  assert.deepEqual(targets.names(), ['console', paris.target])
  for (let turn = 0; turn < 20; turn++) await setImmediate()
  const warnings = lines.filter(({ event }) => event === 'webhook_endpoint_invalid')
  assert.deepEqual(
    warnings.map(({ target, problem }) => [target, problem]),
    [
      ['webhook:berlin/shop', 'its URL is wrong'],
      ['console', 'the settings have an endpoint of the same name']
    ]
  )
  assert.doesNotMatch(JSON.stringify(lines), /hidden/)
  set(berlin, paris)
  await until('started webhook:berlin/shop')
})

test('while the endpoints cannot be read, the known ones stay, and one warning is logged', async t => {
  const { targets, set, fail, until, lines } = await setUp(t, berlin)
  await until('started webhook:berlin/shop')
  fail()
  const warned = () => lines.filter(({ event }) => event === 'webhook_endpoints_unreadable').length
  while (warned() === 0) await setImmediate()
  for (let turn = 0; turn < 20; turn++) await setImmediate()
  assert.equal(warned(), 1)
  assert.deepEqual(targets.names(), ['console', berlin.target])
  set(berlin, paris)
  await until('started webhook:paris/shop')
})

test('only the loops of targets with due deliveries are woken', async t => {
  const { deliveryStore, until, events } = await setUp(t, berlin, paris)
  await until('started webhook:paris/shop')
  await deliveryStore.accept(accepted(notification({ caller: 'paris' })), [{ target: paris.target, caller: 'paris' }])
  await until('woke webhook:paris/shop')
  assert.ok(!events.includes('woke webhook:berlin/shop') && !events.includes('woke console'))
  await deliveryStore.accept(accepted(notification()), ofAll('console'))
  await until('woke console')
})

test('stop ends every loop, including one that is about to start', async t => {
  const { targets, set, hold, until, events } = await setUp(t, berlin)
  await until('started webhook:berlin/shop')
  const release = hold()
  set({ ...berlin, url: 'https://other.example' })
  await until('stopping webhook:berlin/shop')
  const stopped = targets.stop(5)
  release()
  await stopped
  for (const target of ['console', 'webhook:berlin/shop']) {
    const count = (what: string) => events.filter(event => event === `${what} ${target}`).length
    assert.equal(count('stopped'), count('started'), target)
  }
})
