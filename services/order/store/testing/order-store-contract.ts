import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { failureReasons, isoTime, type OrderStatus } from '@orderly/contracts'
import fc from 'fast-check'
import { acceptOrder } from '../../domain/accept-order.ts'
import { mergeChanges, type OrderChange, withoutNulls } from '../../domain/order-change.ts'
import { everyField } from '../../domain/testing/every-field.ts'
import { orderOf } from '../../domain/testing/order-of.ts'
import type { OrderFilter, OrderStore, PageRequest } from '../order-store.ts'

/** Contract test of every order store, in memory and in Postgres. */
export function testOrderStore(name: string, open: (t: TestContext) => Promise<OrderStore>, { runs = 100 } = {}): void {
  test(`${name}: a created order is found with all fields of its accepted content`, async t => {
    const store = await open(t)
    const change = created('1', 'ann')
    await store.apply([change])
    assert.deepEqual((await store.find(['1', '2'])).get('1'), orderOf(change))
    assert.equal((await store.find(['2'])).size, 0)
  })

  test(`${name}: an outcome is visible once its order is known, in any order of arrival`, async t => {
    const store = await open(t)
    await store.apply([failed('1', 'ann')])
    assert.equal((await store.find(['1'])).size, 0)
    assert.deepEqual((await store.list({ userID: 'ann' }, { limit: 5 })).orders, [])
    await store.apply([created('1', 'ann')])
    const [change] = mergeChanges([created('1', 'ann'), failed('1', 'ann')])
    assert.deepEqual((await store.find(['1'])).get('1'), change && orderOf(change))
    await store.apply([created('2', 'ann')])
    await store.apply([reserved('2', 'ann')])
    assert.equal((await store.find(['2'])).get('2')?.decided?.kind, 'reserved')
  })

  test(`${name}: a hold, its confirmation and its release are visible once the outcome is known`, async t => {
    const store = await open(t)
    const changes = [released('1', 'ann'), confirmed('1', 'ann'), created('1', 'ann')]
    for (const change of changes) await store.apply([change])
    const accepted = (await store.find(['1'])).get('1')
    assert.deepEqual(Object.keys(accepted ?? {}), ['orderID', 'userID', 'created'])
    const outcome = { ...reserved('1', 'ann').decided, holdUntilMs: 1_700_000_900_456 } as OrderChange['decided']
    const decided = { orderID: '1', userID: 'ann', ...(outcome && { decided: outcome }) }
    await store.apply([decided])
    const [merged] = mergeChanges([...changes, decided])
    const order = (await store.find(['1'])).get('1')
    assert.deepEqual(order, merged && orderOf(merged))
    assert.deepEqual([order?.created.holdSeconds, order?.released?.cause], [900, 'cancelled'])
  })

  test(`${name}: repeated and reordered batches of the same records result in the same orders`, async t => {
    const users = ['ann', 'bob']
    const changes = Array.from({ length: 8 }, (_, index) => {
      const [id, user] = [`order-${index}`, users[index % 2] as string]
      return index % 3 === 0
        ? [created(id, user)]
        : index % 3 === 1
          ? [created(id, user), reserved(id, user), confirmed(id, user), released(id, user)]
          : [created(id, user), failed(id, user)]
    }).flat()
    const expected = mergeChanges(changes)
      .flatMap(change => orderOf(change) ?? [])
      .sort((a, b) => (a.orderID < b.orderID ? 1 : -1))
    const batches = fc.tuple(
      fc.shuffledSubarray([...changes, ...changes], { minLength: changes.length * 2, maxLength: changes.length * 2 }),
      fc.integer({ min: 1, max: 7 })
    )
    await fc.assert(
      fc.asyncProperty(batches, async ([records, size]) => {
        const store = await open(t)
        for (let start = 0; start < records.length; start += size) await store.apply(records.slice(start, start + size))
        const listed = await Promise.all(users.map(user => store.list({ userID: user }, { limit: 100 })))
        const orders = listed.flatMap(page => page.orders).sort((a, b) => (a.orderID < b.orderID ? 1 : -1))
        assert.deepEqual(orders, expected)
      }),
      { numRuns: runs }
    )
  })

  test(`${name}: pages contain each order once, newest first, even while orders are added`, async t => {
    const store = await open(t)
    const ids = Array.from({ length: 7 }, (_, index) => `order-${index + 1}`)
    await store.apply([...ids.map(id => created(id, 'ann')), created('order-3b', 'bob')])
    const seen: string[] = []
    let beforeID: string | undefined
    for (let newer = 8; ; newer++) {
      const page = await store.list({ userID: 'ann' }, { limit: 2, beforeID })
      seen.push(...page.orders.map(({ orderID }) => orderID))
      await store.apply([created(`order-9${newer}`, 'ann')])
      beforeID = page.nextBeforeID
      if (beforeID === undefined) break
    }
    assert.deepEqual(seen, ids.toReversed())
  })

  test(`${name}: a page can be limited to one caller, even if another caller has the same user id`, async t => {
    const store = await open(t)
    const by = (caller: string, change: OrderChange): OrderChange => ({
      ...change,
      created: { ...(change.created as NonNullable<OrderChange['created']>), caller }
    })
    await store.apply([reserved('order-1', 'ann')])
    await store.apply([by('berlin', created('order-1', 'ann')), by('paris', created('order-2', 'ann'))])
    await store.apply([by('berlin', created('order-3', 'ann')), created('order-4', 'ann')])
    const idsOf = async (caller: string | undefined, page: PageRequest) => {
      const { orders, nextBeforeID } = await store.list({ userID: 'ann', caller }, page)
      return [...orders.map(({ orderID }) => orderID), nextBeforeID]
    }
    assert.deepEqual(await idsOf('berlin', { limit: 1 }), ['order-3', 'order-3'])
    assert.deepEqual(await idsOf('berlin', { limit: 5, beforeID: 'order-3' }), ['order-1', undefined])
    assert.deepEqual(await idsOf(undefined, { limit: 5 }), ['order-4', 'order-3', 'order-2', 'order-1', undefined])
    assert.equal((await store.find(['order-1'])).get('order-1')?.created.caller, 'berlin')
    assert.equal((await store.find(['order-4'])).get('order-4')?.created.caller, undefined)
  })

  test(`${name}: a list can be limited by status, SKU, user and time`, async t => {
    const store = await open(t)
    const at = (orderID: string, acceptedAtMs: number, sku: string): OrderChange => {
      const change = created(orderID, orderID.endsWith('a') ? 'ann' : 'bob')
      const creation = change.created as NonNullable<OrderChange['created']>
      return { ...change, created: { ...creation, acceptedAtMs, items: [{ sku, quantity: 1 }] } }
    }
    /** The order of each status, in the order in which they were accepted. */
    const changes: Record<OrderStatus, (id: string) => OrderChange[]> = {
      accepted: () => [],
      reserved: id => [reserved(id, 'ann')],
      confirmed: id => [reserved(id, 'ann'), confirmed(id, 'ann')],
      failed: id => [failed(id, 'ann')],
      cancelled: id => [reserved(id, 'ann'), confirmed(id, 'ann'), released(id, 'ann')],
      expired: id => [reserved(id, 'ann'), released(id, 'ann', 'expired')]
    }
    const startMs = 1_700_000_000_000
    const statuses = Object.keys(changes) as OrderStatus[]
    const ids = new Map<OrderStatus, string>()
    for (const [index, status] of statuses.entries()) {
      const acceptedAtMs = startMs + index * 3_600_000
      const id = `${acceptedAtMs.toString(16).padStart(12, '0').replace(/^.{8}/, '$&-')}-7000-8000-00000000000${index % 2 === 0 ? 'a' : 'b'}`
      ids.set(status, id)
      await store.apply([at(id, acceptedAtMs, index < 3 ? 'TEA' : 'MUG'), ...changes[status](id)])
    }
    const cancelledFirst = 'ffffffff-0000-7000-8000-00000000000a'
    await store.apply([at(cancelledFirst, startMs, 'TEA'), failed(cancelledFirst, 'ann', failureReasons.cancelled)])
    const listed = async (filter: OrderFilter) =>
      (await store.list(filter, { limit: 100 })).orders.map(({ orderID }) => orderID)
    for (const status of statuses) {
      const other = status === 'cancelled' ? [cancelledFirst] : []
      assert.deepEqual(await listed({ status }), [...other, ids.get(status)], status)
    }
    const idsOf = (...given: OrderStatus[]) => given.map(status => ids.get(status))
    assert.deepEqual(await listed({ sku: 'MUG' }), idsOf('expired', 'cancelled', 'failed'))
    assert.deepEqual(await listed({ sku: 'MU' }), [])
    assert.deepEqual(await listed({ sku: 'MUG', userID: 'bob' }), idsOf('expired', 'failed'))
    const [fromMs, untilMs] = [startMs + 3_600_000, startMs + 3 * 3_600_000]
    assert.deepEqual(await listed({ fromMs, untilMs }), idsOf('confirmed', 'reserved'))
    assert.deepEqual(await listed({ fromMs, untilMs, status: 'reserved', sku: 'TEA' }), idsOf('reserved'))
    assert.equal((await listed({})).length, statuses.length + 1)
  })

  test(`${name}: times outside the range of Postgres and Date can be stored and read`, async t => {
    const store = await open(t)
    for (const acceptedAtMs of [-(2 ** 52), -1e15, 0, 8.64e15, 9e15, 2 ** 53 - 2]) {
      const orderID = randomUUID()
      const change = created(orderID, 'ann')
      const creation = { ...(change.created as NonNullable<OrderChange['created']>), acceptedAtMs }
      await store.apply([{ ...change, created: creation }])
      const found = (await store.find([orderID])).get(orderID)
      assert.match(isoTime(found?.created.acceptedAtMs as number), /Z$/)
    }
  })

  test(`${name}: unusual characters and amounts of an order are returned unchanged`, async t => {
    const store = await open(t)
    const orderID = randomUUID()
    const userID = 'ünï "quoted" \\ {,} 😀'
    const change = created(orderID, userID)
    const unusual: OrderChange = {
      ...change,
      created: {
        ...(change.created as NonNullable<OrderChange['created']>),
        totalMinor: 100_000_000_000,
        currency: 'KWD'
      }
    }
    await store.apply([unusual])
    assert.deepEqual((await store.list({ userID }, { limit: 1 })).orders, [orderOf(unusual)])
  })
}

function created(orderID: string, userID: string): OrderChange {
  const traceID = '0af7651916cd43dd8448eb211c80319c'
  const event = acceptOrder(everyField, { orderID, nowMs: 1_700_000_000_123 })
  const { orderID: _, userID: __, createdAtMs: acceptedAtMs, ...content } = event
  const created = { ...withoutNulls(content), acceptedAtMs, traceID, partition: 1, offset: 7 }
  return { orderID, userID, created }
}

function reserved(orderID: string, userID: string): OrderChange {
  return { orderID, userID, decided: { kind: 'reserved', decidedAtMs: 1_700_000_000_456, partition: 1, offset: 3 } }
}

function failed(orderID: string, userID: string, reason: string = 'OUT_OF_STOCK'): OrderChange {
  const shortages = [{ sku: 'MUG', requested: 2, available: 1, reason: 'OUT_OF_STOCK' }]
  const decision = { kind: 'failed', decidedAtMs: 1_700_000_000_789, reason, shortages } as const
  return { orderID, userID, decided: { ...decision, partition: 1, offset: 4 } }
}

function confirmed(orderID: string, userID: string): OrderChange {
  return { orderID, userID, confirmed: { confirmedAtMs: 1_700_000_001_456, requestID: 'c', partition: 2, offset: 5 } }
}

function released(orderID: string, userID: string, cause = 'cancelled'): OrderChange {
  const release = { releasedAtMs: 1_700_000_002_456, cause, requestID: 'r' }
  return { orderID, userID, released: { ...release, partition: 2, offset: 6 } }
}
