import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { InventoryConfirmed, InventoryReleased, OrderChangeRequested, OrderCreated } from '@orderly/contracts'
import { orderChangeRequested, orderCreated } from '@orderly/contracts/testing'
import { type Pipeline, startPipeline } from './testing/pipeline.ts'
import type { Published } from './testing/read-published.ts'

type Settlements = ReadonlyMap<string, readonly Published<InventoryConfirmed | InventoryReleased>[]>

function ordersOf(sku: string, count: number, holdSeconds: number | null = null): OrderCreated[] {
  return Array.from({ length: count }, (_, index) =>
    orderCreated({ userID: `${sku}-user-${index % 10}`, items: [{ sku, quantity: 1 }], holdSeconds })
  )
}

function changesOf(orders: readonly OrderCreated[], change: string): OrderChangeRequested[] {
  return orders.map(({ orderID, userID }) => orderChangeRequested({ orderID, userID, change }))
}

/**
 * Returns the event types of an order's settlements, such as `InventoryConfirmed
 * InventoryReleased`.
 */
function reported(settlements: Settlements, { orderID }: OrderCreated): string {
  const types = (settlements.get(orderID) ?? []).map(({ eventType }) => eventType)
  return types.sort().join(' ')
}

function assertOwner(settlements: Settlements, orders: readonly OrderCreated[], caller: string): void {
  for (const { orderID, userID } of orders) {
    for (const { record } of settlements.get(orderID) ?? []) {
      assert.deepEqual([record.key, record.headers.caller], [`${caller}\u001f${userID}`, caller])
    }
  }
}

async function levelsOf({ store }: Pipeline, sku: string): Promise<unknown> {
  const [level] = await store.levels([sku])
  return [level?.available, level?.reserved]
}

/** Resolves once every hold is confirmed or released. */
async function untilNoHold({ pool }: Pipeline): Promise<void> {
  while ((await pool.query('SELECT FROM inventory.holds LIMIT 1')).rowCount !== 0);
}

test('changes of orders on real Kafka and Postgres', async t => {
  const pipeline = await startPipeline(t)

  await t.test(
    'an instance that is killed at any failpoint of a batch releases each order once and publishes it once',
    async t => {
      const orders = ordersOf('MUG', 60)
      await pipeline.store.setAvailable(new Map([['MUG', 60]]))
      const first = await pipeline.start(t, 'one')
      await pipeline.place(orders, { caller: 'berlin' })
      await pipeline.untilDecided(orders)
      assert.equal((await first.stop('SIGTERM')).code, 0)
      const points = ['batch-processed', 'outputs-written', 'before-commit'] as const
      for (const [index, point] of points.entries()) {
        const own = orders.slice(index * 20, (index + 1) * 20)
        await pipeline.ask([...changesOf(own, 'cancel'), ...changesOf(own.slice(5), 'cancel')], { caller: 'berlin' })
        await pipeline.killAt(t, point, 1)
      }
      const last = await pipeline.start(t, 'one')
      const settlements = await pipeline.settlements()
      for (const order of orders) assert.equal(reported(settlements, order), 'InventoryReleased', order.orderID)
      assertOwner(settlements, orders, 'berlin')
      assert.deepEqual(await levelsOf(pipeline, 'MUG'), [60, 0])
      assert.equal((await last.stop('SIGTERM')).code, 0)
    }
  )

  await t.test('a cancel that is read before its order makes the order fail as CANCELLED', async t => {
    const orders = ordersOf('TEA', 20)
    await pipeline.store.setAvailable(new Map([['TEA', 20]]))
    await pipeline.ask(changesOf(orders, 'cancel'))
    const instance = await pipeline.start(t, 'one')
    await pipeline.settlements()
    await pipeline.place(orders)
    for (const { order, outcomes } of await pipeline.untilDecided(orders)) {
      const [outcome, ...others] = outcomes.map(({ event }) => event)
      assert.ok(outcome && 'reason' in outcome && others.length === 0)
      assert.deepEqual([outcome.reason, outcome.userID, outcome.shortages], ['CANCELLED', order.userID, []])
    }
    assert.deepEqual(await levelsOf(pipeline, 'TEA'), [20, 0])
    assert.equal((await instance.stop('SIGTERM')).code, 0)
  })

  await t.test('each hold ends either confirmed or released while one of two instances is killed', async t => {
    const orders = ordersOf('POT', 200, 1)
    await pipeline.store.setAvailable(new Map([['POT', 200]]))
    const first = await pipeline.start(t, 'one')
    const second = await pipeline.start(t, 'two')
    await pipeline.place(orders, { caller: 'paris' })
    const outcomes = await pipeline.untilDecided(orders)
    const dueAtMs = Math.max(...outcomes.map(({ outcomes }) => holdEndOf(outcomes[0]?.event)))
    // Some confirmations precede the end of the holds, some coincide with it, and some orders get
    // none.
    for (let start = 0; start < 160; start += 20) {
      await pipeline.ask(changesOf(orders.slice(start, start + 20), 'confirm'), { caller: 'paris' })
      if (start === 60) while (Date.now() < dueAtMs);
      if (start === 80) await first.stop('SIGKILL')
    }
    await pipeline.start(t, 'one')
    await untilNoHold(pipeline)
    const settlements = await pipeline.settlements()
    const endings = orders.map(order => reported(settlements, order))
    assertOwner(settlements, orders, 'paris')
    const counts = Map.groupBy(endings, ending => ending)
    assert.deepEqual([...counts.keys()].sort(), ['InventoryConfirmed', 'InventoryReleased'])
    const confirmed = counts.get('InventoryConfirmed')?.length ?? 0
    t.diagnostic(`${confirmed} of ${orders.length} confirmed in time`)
    assert.deepEqual(endings.slice(160), Array(40).fill('InventoryReleased'))
    assert.deepEqual(await levelsOf(pipeline, 'POT'), [200 - confirmed, confirmed])
    for (const { event } of [...settlements.values()].flat())
      if ('cause' in event && event.items[0]?.sku === 'POT') assert.equal(event.cause, 'expired')
    assert.equal((await second.stop('SIGTERM')).code, 0)
  })
})

function holdEndOf(event: object | undefined): number {
  const { holdUntilMs } = (event ?? {}) as { holdUntilMs?: number | null }
  return holdUntilMs ?? 0
}
