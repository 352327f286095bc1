import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { connectTopics } from '@orderly/contracts'
import { createInMemoryRegistry } from '@orderly/contracts/testing'
import { KafkaError, type OutputRecord, outputHeader, ReservedWriterError } from '@orderly/kafka'
import { StoreUnavailableError } from '@orderly/postgres'
import { silentLogger } from '@orderly/service-kit/testing'
import fc from 'fast-check'
import { type KeyStore, reservationTrustMs } from '../store/key-state.ts'
import { createMemoryKeyStore } from '../store/testing/memory-keys.ts'
import { createMemoryReservedWriter, createSequenceLog } from '../testing/memory-reserved-writer.ts'
import { createIdempotentPlacement } from './idempotent-placement.ts'

const { ordersCreated } = await connectTopics(createInMemoryRegistry(), { ordersCreated: 'write' })
const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
const leaseMs = 8_000
const timeout = new KafkaError('DELIVERY_TIMEOUT', 'for the test', { retryable: true })
const tooLarge = new KafkaError('MESSAGE_TOO_LARGE', 'for the test', { retryable: false })

const idOf = (record: OutputRecord) => (outputHeader(record, 'event-id') ?? '').slice('OrderCreated-'.length)

/** Creates a topic and a database that several instances share. */
function createShop() {
  let nowMs = 1_700_000_000_000
  const batches: string[][] = []
  const log = createSequenceLog({
    async send(records) {
      batches.push(records.map(idOf))
    }
  })
  const keys = createMemoryKeyStore(() => nowMs)
  /** True while the projection has read the topic. */
  let isProjected = false
  const orders = {
    async find(orderIDs: readonly string[]) {
      const written = new Set(isProjected ? batches.flat() : [])
      return new Map(orderIDs.filter(id => written.has(id)).map(id => [id, undefined as never]))
    }
  }
  return {
    /** Batches in the topic, as order ids. */
    batches,
    project: (isUpToDate: boolean) => {
      isProjected = isUpToDate
    },
    pass: (ms: number) => {
      nowMs += ms
    },
    keys,
    /** Starts an instance. Its key store may differ, in order to fail. */
    start(own: Partial<KeyStore> = {}) {
      const { writer, failNext, hold } = createMemoryReservedWriter(log)
      const place = createIdempotentPlacement({
        ...{ writer, ordersCreated, keys: { ...keys, ...own }, orders, logger: silentLogger() },
        ...{ deliveryTimeoutMs: leaseMs - 3_000, maxPending: 100, nowMs: () => nowMs }
      })
      const order = { userID: 'ann', items: [{ sku: 'MUG', quantity: 1 }], total: 1 }
      return {
        failNext,
        hold,
        place: (key: string) => place(order, { key, traceparent, caller: undefined })
      }
    }
  }
}

const keysOf = (count: number) => Array.from({ length: count }, (_, index) => `key ${index}`)

describe('batches of orders with keys', () => {
  test('orders that arrive together share a batch, and one with a key that exists is left out', async () => {
    const { start, batches } = createShop()
    const { place } = start()
    const first = await place('key 0')
    const placed = await Promise.all(keysOf(5).map(place))
    assert.ok(first.kind === 'placed' && placed.every(one => one.kind === 'placed'))
    assert.deepEqual(
      placed.map(one => one.kind === 'placed' && one.isReplay),
      [true, false, false, false, false]
    )
    assert.deepEqual(
      batches,
      [placed.slice(0, 1), placed.slice(1)].map(all => all.map(one => one.kind === 'placed' && one.orderID))
    )
  })

  test('orders with the same key never share a batch, and one of them is stored', async () => {
    const { start, batches } = createShop()
    const { place } = start()
    const placed = await Promise.all(Array(5).fill('same').map(place))
    const ids = new Set(placed.map(one => (one.kind === 'placed' ? one.orderID : one.kind)))
    assert.deepEqual(
      batches.flat(),
      [...ids].filter(id => id !== 'in-flight')
    )
  })

  test('a batch that brokers reject is divided until each order is stored', async () => {
    const { start, batches } = createShop()
    const { place, failNext } = start()
    for (let rejections = 0; rejections < 2; rejections++) failNext(new ReservedWriterError(tooLarge, false), false)
    const placed = await Promise.all(keysOf(8).map(place))
    assert.deepEqual(
      batches.map(batch => batch.length),
      [2, 4, 2]
    )
    assert.deepEqual(
      batches.flat(),
      placed.map(one => one.kind === 'placed' && one.orderID)
    )
  })

  test('an order that alone is rejected fails, and its key can be used again', async () => {
    const { start, batches } = createShop()
    const { place, failNext } = start()
    failNext(new ReservedWriterError(tooLarge, false), false)
    await assert.rejects(place('key'), { code: 'MESSAGE_TOO_LARGE' })
    assert.equal((await place('key')).kind, 'placed')
    assert.equal(batches.length, 1)
  })

  test('above the maximum number of pending orders, an order is refused and its key is not claimed', async () => {
    const { start, batches } = createShop()
    const { place, hold } = start()
    const resume = hold()
    const pending = keysOf(100).map(place)
    await assert.rejects(place('one more'), { code: 'PRODUCER_QUEUE_FULL', retryable: true })
    resume()
    await Promise.all(pending)
    assert.equal((await place('one more')).kind, 'placed')
    assert.equal(batches.flat().length, 101)
  })
})

describe('recovery of orders with keys', () => {
  for (const isWritten of [true, false]) {
    test(`any order of a batch with an unknown result (${isWritten ? '' : 'not '}written) completes the whole batch once`, async () => {
      const { start, batches } = createShop()
      const [doomed, other] = [start(), start()]
      doomed.failNext(new ReservedWriterError(timeout, true), isWritten)
      const failed = await Promise.allSettled(keysOf(3).map(doomed.place))
      assert.ok(failed.every(({ status }) => status === 'rejected'))
      const recovered = await other.place('key 1')
      assert.ok(recovered.kind === 'placed' && recovered.isReplay)
      assert.deepEqual(
        batches.map(batch => batch.length),
        [3]
      )
      const placed = await Promise.all(keysOf(3).map(doomed.place))
      assert.deepEqual(
        batches.flat(),
        placed.map(one => one.kind === 'placed' && one.orderID)
      )
    })
  }

  test('concurrent recoveries of one batch share one attempt', async () => {
    const { start, batches } = createShop()
    const [doomed, other] = [start(), start()]
    doomed.failNext(new ReservedWriterError(timeout, true), false)
    await Promise.allSettled(keysOf(5).map(doomed.place))
    const recovered = await Promise.all(keysOf(5).map(other.place))
    assert.ok(recovered.every(({ kind }) => kind === 'placed'))
    assert.deepEqual(
      batches.map(batch => batch.length),
      [5]
    )
  })

  test('a producer id whose batch is not marked as stored is not used again', async () => {
    const { start, batches, keys, pass } = createShop()
    const unavailable = new StoreUnavailableError('for the test')
    const { place } = start({ markStored: () => Promise.reject(unavailable) })
    // More batches than the broker remembers.
    for (const key of keysOf(8)) assert.equal((await place(key)).kind, 'placed')
    pass(leaseMs)
    const other = start()
    const placed = await Promise.all(keysOf(8).map(other.place))
    assert.deepEqual(
      batches.flat(),
      placed.map(one => one.kind === 'placed' && one.orderID)
    )
    assert.equal(await keys.claim([], leaseMs), undefined)
  })

  test('a batch that the broker no longer recognizes is looked for and never written elsewhere', async () => {
    const { start, batches, project, pass, keys } = createShop()
    const doomed = start({ markStored: () => Promise.resolve() })
    const first = await doomed.place('key 0')
    // The producer id writes more batches than the broker remembers, although the first has a row.
    for (const key of keysOf(8).slice(1)) await doomed.place(key)
    for (const key of keysOf(8).slice(1)) {
      const [known] =
        (await keys.claim([{ id: key, partition: 0, bytes: Buffer.alloc(0), claims: [claimOf(key)] }], 0)) ?? []
      if (known?.state.kind === 'in-batch') await keys.markStored(known.state.batchID)
    }
    pass(leaseMs)
    const other = start()
    await assert.rejects(other.place('key 0'), StoreUnavailableError)
    assert.equal(batches.length, 8)
    project(true)
    assert.deepEqual(await other.place('key 0'), { ...first, isReplay: true })
    assert.equal(batches.length, 8)
  })

  for (const isWritten of [true, false]) {
    test(`an order with an old reservation is ${isWritten ? 'found in the projection' : 'written with another one'}`, async () => {
      const { start, batches, project, pass } = createShop()
      const doomed = start()
      doomed.failNext(new ReservedWriterError(timeout, true), isWritten)
      await Promise.allSettled(keysOf(3).map(doomed.place))
      pass(reservationTrustMs + 1_000)
      project(true)
      const other = start()
      const placed = []
      for (const key of keysOf(3)) placed.push(await other.place(key))
      assert.deepEqual(
        batches.flat(),
        placed.map(one => one.kind === 'placed' && one.orderID)
      )
      assert.deepEqual(
        batches.map(batch => batch.length),
        isWritten ? [3] : [1, 1, 1]
      )
    })
  }
})

function claimOf(key: string) {
  const order = { orderID: 'unused', acceptedAtMs: 0, traceparent }
  return { ...{ caller: 'unused', key }, ...order, fingerprint: Buffer.alloc(0) }
}

/** Failures of an instance while it places orders. */
const trouble = fc.constantFrom(
  'none',
  'written',
  'not written',
  'certainly not written',
  'not marked',
  'claim unknown'
)
const step = fc.record({
  keys: fc.uniqueArray(fc.integer({ min: 0, max: 7 }), { minLength: 1, maxLength: 5 }),
  instance: fc.integer({ min: 0, max: 2 }),
  trouble,
  passMs: fc.constantFrom(0, 0, leaseMs + 1)
})

test('with any sequence of failures, each accepted key has one order, and no order is stored twice', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async steps => {
      const { start, batches, pass, keys } = createShop()
      const failing = new Set<string>()
      const unavailable = new StoreUnavailableError('for the test')
      const instances = Array.from({ length: 3 }, () =>
        start({
          async markStored(batchID) {
            if (failing.has('not marked')) throw unavailable
            await keys.markStored(batchID)
          },
          async claim(given, ms) {
            const known = await keys.claim(given, ms)
            if (failing.has('claim unknown')) throw unavailable
            return known
          }
        })
      )
      const accepted = new Map<number, string>()
      const run = async ({ keys: numbers, instance, trouble, passMs }: (typeof steps)[number]) => {
        const { place, failNext } = instances[instance] as (typeof instances)[number]
        failing.clear()
        failing.add(trouble)
        if (trouble.endsWith('written'))
          failNext(new ReservedWriterError(timeout, trouble !== 'certainly not written'), trouble === 'written')
        const results = await Promise.allSettled(numbers.map(number => place(String(number))))
        for (const [index, result] of results.entries()) {
          if (result.status === 'rejected' || result.value.kind !== 'placed') continue
          const number = numbers[index] as number
          assert.equal(result.value.orderID, accepted.get(number) ?? result.value.orderID, 'a key has two orders')
          accepted.set(number, result.value.orderID)
        }
        pass(passMs)
      }
      for (const one of steps) await run(one)
      pass(leaseMs + 1)
      // Every key can be completed once nothing fails, by any instance. A failure that was planned for a write that
      // did not happen may be left.
      for (let round = 0; round < 35 && accepted.size < 8; round++) {
        await run({ keys: [0, 1, 2, 3, 4, 5, 6, 7], instance: round % 3, trouble: 'none', passMs: leaseMs + 1 })
      }
      assert.equal(accepted.size, 8)
      const stored = batches.flat()
      assert.equal(new Set(stored).size, stored.length, 'an order is stored twice')
      assert.deepEqual(new Set(stored), new Set(accepted.values()), 'the topic holds exactly the accepted orders')
    }),
    { numRuns: 60 }
  )
})
