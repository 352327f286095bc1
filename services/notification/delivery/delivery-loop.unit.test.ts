import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { pino } from 'pino'
import type { RetryPolicy } from '../domain/delivery.ts'
import type { Notification } from '../domain/notification.ts'
import type { AttemptedDelivery, DeliveryStore } from '../store/delivery-store.ts'
import { createMemoryDeliveryStore } from '../store/testing/memory.ts'
import { accepted, notification, ofAll } from '../testing/notifications.ts'
import { type DeliveryLoop, startDelivering } from './delivery-loop.ts'
import { createResultWriter, type ResultWriter } from './delivery-results.ts'
import { runMaintenance } from './maintenance.ts'
import { type Sink, SinkError } from './sink.ts'
import { createMemorySink } from './testing/memory.ts'

const logger = pino({ level: 'silent' })
const policy: RetryPolicy = {
  maxAttempts: 4,
  maxAgeMs: 60_000,
  firstDelayMs: 5,
  maxDelayMs: 20,
  maxRetryAfterMs: 1_000
}
const away = new SinkError('HTTP_503', 'answered 503', { retryable: true })
const refused = new SinkError('SMTP_550', 'no such mailbox', { retryable: false })

interface Rig {
  readonly deliveryStore: DeliveryStore
  readonly results: ResultWriter
  readonly saved: AttemptedDelivery[]
  readonly deadLetters: AttemptedDelivery[]
  start(sink: Sink, options?: { instanceID?: string; leaseMs?: number; pollMs?: number }): DeliveryLoop
  accept(...notifications: Notification[]): Promise<void>
  /** Resolves when no delivery is unfinished. */
  done(): Promise<void>
}

interface RigOptions {
  readonly targets?: readonly string[]
  readonly deliveryStore?: DeliveryStore
  readonly exhaust?: (saved: readonly AttemptedDelivery[]) => Promise<void>
}

function rig(
  t: TestContext,
  { targets = ['memory'], deliveryStore = createMemoryDeliveryStore(), exhaust }: RigOptions = {}
): Rig {
  const saved: AttemptedDelivery[] = []
  const deadLetters: AttemptedDelivery[] = []
  const loops: { readonly target: string; readonly loop: DeliveryLoop }[] = []
  const changes = new EventTarget()
  const results = createResultWriter({
    deliveryStore,
    logger,
    exhaust: exhaust ?? (async given => void deadLetters.push(...given)),
    retry: work => work(),
    onSaved(batch, dueAgain) {
      saved.push(...batch)
      for (const { target, loop } of loops) if (dueAgain.has(target)) loop.wake()
      changes.dispatchEvent(new Event('change'))
    }
  })
  t.after(async () => {
    await Promise.all(loops.map(({ loop }) => loop.stop(0)))
    await results.drained()
  })
  return {
    deliveryStore,
    results,
    saved,
    deadLetters,
    start(sink, { instanceID = 'one', leaseMs = 10_000, pollMs = 5 } = {}) {
      const options = { deliveryStore, results, policy, instanceID, leaseMs, pollMs, logger }
      const loop = startDelivering(sink, { ...options, observer: { attempted: () => {} } })
      loops.push({ target: sink.target, loop })
      return loop
    },
    async accept(...notifications) {
      await deliveryStore.accept(accepted(...notifications), ofAll(...targets))
      for (const { loop } of loops) loop.wake()
    },
    async done() {
      for (;;) {
        const changed = once(changes, 'change')
        if ((await deliveryStore.backlog()).length === 0) return
        await changed
      }
    }
  }
}

const many = (count: number, userID?: string) =>
  Array.from({ length: count }, () => notification(userID === undefined ? {} : { userID }))
const ids = (notifications: readonly Notification[]) => notifications.map(({ id }) => id)

test('an accepted notification is sent to its target once, in its trace', async t => {
  const { deliveryStore, start, accept, done } = rig(t)
  const sink = createMemorySink()
  start(sink)
  const given = many(50)
  await accept(...given)
  await done()
  assert.deepEqual(ids(sink.delivered).sort(), ids(given).sort())
  await deliveryStore.accept(accepted(...given), ofAll('memory'))
  await done()
  assert.equal(sink.delivered.length, 50)
  assert.match(sink.traceparents[0] ?? '', /^00-/)
})

test('deliveries that are due together are claimed with one query, and a further query follows only if more may be due', async t => {
  const deliveryStore = createMemoryDeliveryStore()
  let asked = 0
  const counted: DeliveryStore = {
    ...deliveryStore,
    claim(...args) {
      asked++
      return deliveryStore.claim(...args)
    }
  }
  const { start, accept, done } = rig(t, { deliveryStore: counted })
  const sink = createMemorySink({ concurrency: 10 })
  start(sink, { pollMs: 600_000 })
  for (const [users, perUser, questions] of [
    [3, 1, 1],
    [9, 20, 1], // as many deliveries per delivery lane as one claim takes
    [9, 21, 2], // one delivery per delivery lane more than a claim takes
    [25, 1, 3] // the concurrency twice, and five users more
  ] as const) {
    await setImmediate()
    asked = 0
    const before = sink.delivered.length
    await accept(...Array.from({ length: users }, (_, user) => many(perUser, `${user} of ${users}`)).flat())
    await done()
    assert.equal(sink.delivered.length - before, users * perUser)
    assert.ok(asked <= questions, `${users} × ${perUser}: ${asked} times`)
  }
})

test('the notifications of one user arrive in order even if some attempts fail', async t => {
  const failures = new Map<string, number>()
  const sink = createMemorySink({
    before({ id }) {
      const count = (failures.get(id) ?? 0) + 1
      failures.set(id, count)
      if (count <= id.charCodeAt(id.length - 1) % 3) throw away
    }
  })
  const { start, accept, done } = rig(t)
  start(sink)
  const adas = many(25, 'ada')
  const bobs = many(25, 'bob')
  await accept(...adas, ...bobs)
  await done()
  for (const given of [adas, bobs]) {
    const [{ userID } = assert.fail()] = given
    assert.deepEqual(ids(sink.delivered.filter(each => each.userID === userID)), ids(given))
  }
})

test('an unavailable target delays no other target, and gets its deliveries when it is available again', async t => {
  let isAway = true
  const shop = createMemorySink({
    target: 'shop',
    before() {
      if (isAway) throw away
    }
  })
  const console = createMemorySink({ target: 'console' })
  const { start, accept, done, saved } = rig(t, { targets: ['shop', 'console'] })
  start(shop)
  start(console)
  const given = many(10)
  await accept(...given)
  while (console.delivered.length < 10 || !saved.some(({ result }) => result.attempts === 2)) {
    await setImmediate()
  }
  assert.equal(shop.delivered.length, 0)
  isAway = false
  await done()
  assert.deepEqual(ids(shop.delivered).sort(), ids(given).sort())
})

test('an exhausted delivery becomes a dead letter with its last failure, and the next one of its user is sent', async t => {
  const [poison, next] = many(2, 'ada')
  assert.ok(poison && next)
  const sink = createMemorySink({
    before({ id }) {
      if (id === poison.id) throw away
    }
  })
  const { start, accept, done, deadLetters } = rig(t)
  start(sink)
  await accept(poison, next)
  await done()
  assert.deepEqual(ids(sink.delivered), [next.id])
  assert.deepEqual(
    deadLetters.map(({ delivery, result }) => [delivery.notification.id, result]),
    [[poison.id, { status: 'exhausted', attempts: 4, failure: { code: 'HTTP_503', reason: 'answered 503' } }]]
  )
})

test('a permanently rejected delivery is exhausted immediately, and a programming error is retried', async t => {
  const [unwelcome, unlucky] = many(2)
  let defects = 0
  const sink = createMemorySink({
    before({ id }) {
      if (id === unwelcome?.id) throw refused
      if (defects++ === 0) throw new TypeError('a\0bug')
    }
  })
  const { start, accept, done, deadLetters, saved } = rig(t)
  start(sink)
  await accept(...[unwelcome, unlucky].filter(each => each !== undefined))
  await done()
  assert.deepEqual(
    deadLetters.map(({ result }) => result.attempts),
    [1]
  )
  assert.deepEqual(ids(sink.delivered), [unlucky?.id])
  const failures = saved.flatMap(({ result }) => ('failure' in result ? result.failure : undefined))
  assert.ok(failures.some(failure => failure?.code === 'TypeError' && failure.reason === 'a bug'))
})

test('while dead letters cannot be written, a delivery stays due and is retried after a delay', async t => {
  let attempts = 0
  const { deliveryStore, start, accept, saved } = rig(t, {
    exhaust: async () => {
      attempts++
      throw new Error('the broker is unavailable')
    }
  })
  start(
    createMemorySink({
      before() {
        throw refused
      }
    })
  )
  await accept(notification())
  while (saved.length === 0) await setImmediate()
  assert.equal(attempts, 1)
  const { result } = saved[0] as AttemptedDelivery
  assert.equal(result.status, 'due')
  assert.ok('retryInMs' in result && result.retryInMs > 1_000)
  const claim = await deliveryStore.claim('memory', { instanceID: 'two', maxLanes: 1, maxPerLane: 1, leaseMs: 1 })
  assert.deepEqual(claim.deliveries, [])
})

test('a target that answers 410 is disabled, and its pending and later deliveries are skipped', async t => {
  let calls = 0
  const sink = createMemorySink({
    concurrency: 1,
    before() {
      calls++
      throw new SinkError('TARGET_GONE', 'answered 410', { retryable: false })
    }
  })
  const { deliveryStore, start, accept, done, saved, deadLetters } = rig(t)
  await deliveryStore.register([sink])
  start(sink)
  await accept(...many(5))
  await done()
  await accept(...many(5))
  await done()
  assert.equal(calls, 1)
  assert.equal(saved.filter(({ result }) => result.status === 'skipped').length, 10)
  assert.equal(deadLetters.length, 0)
  assert.deepEqual(await deliveryStore.disabled(), ['memory'])
})

test('a requested pause is kept', async t => {
  const timesMs: number[] = []
  const sink = createMemorySink({
    concurrency: 1,
    before() {
      timesMs.push(performance.now())
      if (timesMs.length === 1) throw new SinkError('HTTP_429', 'slowly', { retryable: true, retryAfterMs: 20 })
    }
  })
  const { start, accept, done } = rig(t)
  start(sink)
  await accept(...many(3))
  await done()
  const [first, second] = timesMs
  assert.ok((second ?? 0) - (first ?? 0) >= 19, 'no other user is sent to before the pause ends')
})

test('a pause outlives its instance, applies to other instances, and delays no other target', async t => {
  const asked: string[] = []
  const paused = (target: string) =>
    createMemorySink({
      target,
      before() {
        asked.push(target)
        if (target === 'shop') throw new SinkError('HTTP_503', 'in an hour', { retryable: true, retryAfterMs: 1e9 })
      }
    })
  const { deliveryStore, start, accept, saved } = rig(t, { targets: ['shop', 'other'] })
  await deliveryStore.register([paused('shop'), paused('other')])
  const first = start(paused('shop'))
  await accept(notification())
  while (saved.length === 0) await setImmediate()
  await first.stop(0)
  for (const instanceID of ['one', 'two']) start(paused('shop'), { instanceID })
  start(paused('other'))
  await accept(...many(20))
  while (asked.filter(target => target === 'other').length < 21) await setImmediate()
  assert.equal(asked.filter(target => target === 'shop').length, 1)
  const { pausedMs } = await deliveryStore.claim('shop', { instanceID: 'new', maxLanes: 9, maxPerLane: 9, leaseMs: 9 })
  assert.ok(pausedMs > 0 && pausedMs <= policy.maxRetryAfterMs, `paused for ${pausedMs} ms`)
  const [{ result } = assert.fail()] = saved
  assert.equal('retryInMs' in result && result.retryInMs, policy.maxRetryAfterMs)
})

test('if a pause cannot be stored, the instance that received it keeps it', async t => {
  const deliveryStore: DeliveryStore = {
    ...createMemoryDeliveryStore(),
    async pause() {
      throw new Error('away')
    }
  }
  let attempts = 0
  const sink = createMemorySink({
    before() {
      attempts++
      throw new SinkError('HTTP_429', 'slowly', { retryable: true, retryAfterMs: 1e9 })
    }
  })
  const { start, accept, saved } = rig(t, { deliveryStore })
  start(sink)
  await accept(notification())
  while (saved.length === 0) await setImmediate()
  await accept(...many(3))
  for (let turn = 0; turn < 20; turn++) await setImmediate()
  assert.equal(attempts, 1)
})

test('users of two callers with the same id do not wait for each other', async t => {
  const sink = createMemorySink({
    before({ caller }) {
      if (caller === 'berlin') throw away
    }
  })
  const { start, accept, saved } = rig(t)
  start(sink)
  const given = ['berlin', 'paris', 'berlin', 'paris'].map(caller => notification({ userID: 'ada', caller }))
  await accept(...given)
  while (sink.delivered.length < 2 || saved.length === 0) await setImmediate()
  assert.deepEqual(ids(sink.delivered), [given[1]?.id, given[3]?.id])
})

test("at most the sink's concurrency of users are sent to concurrently, and fewer while it fails", async t => {
  let now = 0
  let most = 0
  let fails = false
  const sink = createMemorySink({
    concurrency: 8,
    async before() {
      most = Math.max(most, ++now)
      await setImmediate()
      now--
      if (fails) throw away
    }
  })
  const { start, accept, done, saved } = rig(t)
  start(sink)
  await accept(...many(40))
  await done()
  assert.equal(most, 8)
  fails = true
  await accept(...many(20))
  const failures = () => saved.filter(({ result }) => 'failure' in result).length
  while (failures() < 16) await setImmediate()
  most = now
  while (failures() < 30) await setImmediate()
  assert.ok(most <= 2, `${most} at once`)
  fails = false
  await done()
})

test('two instances share the deliveries, and nothing is sent twice', async t => {
  const { start, accept, done } = rig(t)
  const sinks = [createMemorySink({ concurrency: 2 }), createMemorySink({ concurrency: 2 })]
  for (const [index, sink] of sinks.entries()) start(sink, { instanceID: String(index) })
  const given = many(60)
  await accept(...given)
  await done()
  assert.deepEqual(ids(sinks.flatMap(({ delivered }) => delivered)).sort(), ids(given).sort())
  for (const { delivered } of sinks) assert.ok(delivered.length > 0)
})

test('deliveries that an ended instance had claimed are sent by another instance after the lease', async t => {
  const { deliveryStore, start, accept, done } = rig(t)
  await accept(notification())
  await deliveryStore.claim('memory', { instanceID: 'ended', maxLanes: 1, maxPerLane: 1, leaseMs: 30 })
  const sink = createMemorySink()
  start(sink)
  await done()
  assert.equal(sink.delivered.length, 1)
})

test('a delivery whose every attempt ends its instance is exhausted without a further attempt', async t => {
  let nowMs = 1_000_000
  const deliveryStore = createMemoryDeliveryStore(() => nowMs)
  const { start, accept, done, deadLetters } = rig(t, { deliveryStore })
  await accept(notification())
  for (let index = 0; index <= policy.maxAttempts; index++) {
    await deliveryStore.claim('memory', { instanceID: 'ended', maxLanes: 1, maxPerLane: 1, leaseMs: 1 })
    nowMs += 10
  }
  const sink = createMemorySink()
  start(sink)
  await done()
  assert.equal(sink.delivered.length, 0)
  const [{ result } = assert.fail()] = deadLetters
  assert.equal('failure' in result && result.failure?.code, 'INSTANCE_LOST')
})

test('stop starts no attempt, waits for the one in flight, and releases the others without an attempt', async t => {
  const started = Promise.withResolvers<void>()
  const arrive = Promise.withResolvers<void>()
  const sink = createMemorySink({
    async before() {
      started.resolve()
      await arrive.promise
    }
  })
  const { deliveryStore, results, start, accept } = rig(t)
  const loop = start(sink)
  const adas = many(3, 'ada')
  await accept(...adas)
  await started.promise
  const stopped = loop.stop(60_000)
  arrive.resolve()
  await stopped
  await results.drained()
  assert.deepEqual(ids(sink.delivered), [adas[0]?.id])
  const { deliveries } = await deliveryStore.claim('memory', {
    ...{ instanceID: 'next', maxLanes: 1, maxPerLane: 9, leaseMs: 9 }
  })
  assert.deepEqual(
    deliveries.map(({ notification, attempts }) => [notification.id, attempts]),
    adas.slice(1).map(({ id }) => [id, 0])
  )
})

test('stop aborts attempts in flight after the grace period', async t => {
  const started = Promise.withResolvers<void>()
  const sink = createMemorySink({
    async before(_notification, { signal }) {
      started.resolve()
      await once(signal, 'abort')
      throw signal.reason
    }
  })
  const { start, accept, results, saved } = rig(t)
  const loop = start(sink)
  await accept(notification())
  await started.promise
  await loop.stop(1)
  await results.drained()
  assert.deepEqual([saved[0]?.result.status, saved[0]?.result.attempts], ['due', 1])
})

test('a failed claim is retried', async t => {
  const deliveryStore = createMemoryDeliveryStore()
  let failures = 3
  const flaky: DeliveryStore = {
    ...deliveryStore,
    async claim(target, options) {
      if (failures-- > 0) throw new Error('away')
      return deliveryStore.claim(target, options)
    }
  }
  const { start, accept, done } = rig(t, { deliveryStore: flaky })
  const sink = createMemorySink()
  start(sink)
  await accept(notification())
  await done()
  assert.equal(sink.delivered.length, 1)
})

test('maintenance exhausts deliveries of targets without an instance, and deletes old deliveries', async t => {
  let nowMs = 1_000_000
  const deliveryStore = createMemoryDeliveryStore(() => nowMs)
  const { results, accept, done, deadLetters } = rig(t, { deliveryStore, targets: ['removed', 'memory'] })
  const given = notification()
  await accept(given)
  const options = {
    ...{ deliveryStore, results, policy, logger, targets: () => ['memory'], instanceID: 'one' },
    ...{ leaseMs: 1_000, retentionMs: 100_000, everyMs: 1_000 }
  }
  nowMs += policy.maxAgeMs - 1
  await runMaintenance(options)
  await results.drained()
  assert.equal(deadLetters.length, 0)
  nowMs += 1
  await runMaintenance(options)
  await results.drained()
  assert.deepEqual(
    deadLetters.map(({ delivery, result }) => [
      delivery.target,
      'failure' in result ? result.failure?.code : undefined
    ]),
    [['removed', 'TARGET_NOT_CONFIGURED']]
  )
  const claim = await deliveryStore.claim('memory', { instanceID: 'one', maxLanes: 1, maxPerLane: 1, leaseMs: 1 })
  assert.equal(claim.deliveries.length, 1)
  for (const delivery of claim.deliveries) {
    results.add({ delivery, result: { status: 'sent', attempts: 1 } })
    results.free({ target: 'memory', userID: given.userID, claim: delivery.claim, retryInMs: 0 })
  }
  await done()
  nowMs += 100_001
  await runMaintenance(options)
  assert.equal((await deliveryStore.accept(accepted(given), ofAll('memory', 'removed'))).duplicates, 0)
})
