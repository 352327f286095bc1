import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { failureReasons, type OrderCreated, type StockMoved } from '@orderly/contracts'
import { orderChangeRequested, orderCreated } from '@orderly/contracts/testing'
import { readCommitted } from '@orderly/kafka/testing'
import { startDatabase, type TestService } from '@orderly/launcher/testing'
import { checkBooks } from './store/testing/inventory-database.ts'
import { type Pipeline, startPipeline } from './testing/pipeline.ts'
import { interruptedReconcile, reconcile, tryToReconcile } from './testing/run-reconcile.ts'

/**
 * Tests recovery: Postgres is restored from a base backup, and the inventory is rebuilt from its
 * topics.
 */

const skus = ['MUG', 'TEA', 'POT']

function someOrders(count: number, holdSeconds: number | null = null): OrderCreated[] {
  return Array.from({ length: count }, (_, index) =>
    orderCreated({
      userID: `user-${index % 7}`,
      items: [
        { sku: skus[index % 3] as string, quantity: 1 + (index % 2) },
        ...(index % 10 === 0 ? [{ sku: 'NO-SUCH-SKU', quantity: 1 }] : [])
      ],
      holdSeconds
    })
  )
}

const requestOf = (change: string) => (order: OrderCreated) =>
  orderChangeRequested({ orderID: order.orderID, userID: order.userID, change })

async function put(instance: TestService, sku: string, count: object): Promise<void> {
  const answer = await fetch(`${instance.url}/stock/${sku}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(count)
  })
  assert.equal(answer.status, 200)
}

async function adjust(instance: TestService, sku: string, delta: number, key: string): Promise<boolean> {
  const answer = await fetch(`${instance.url}/stock/${sku}/adjustments`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': key },
    body: JSON.stringify({ delta })
  })
  assert.equal(answer.status, 200)
  return answer.headers.get('idempotent-replayed') === 'true'
}

async function untilPublished({ pool }: Pipeline): Promise<void> {
  const waiting = 'SELECT FROM inventory.stock_movements WHERE NOT published LIMIT 1'
  while ((await pool.query(waiting)).rowCount !== 0) await delay(20)
}

/**
 * Returns the sum of all published movements by SKU. A movement that was published twice counts
 * once.
 */
async function putIn({ connection, topics }: Pipeline, count: number): Promise<Map<string, number>> {
  const idsOf = (records: readonly { headers: Readonly<Record<string, string>> }[]) =>
    new Set(records.map(({ headers }) => headers['event-id']))
  const { name, codec } = topics.stockMovements
  const records = await readCommitted(connection, name, seen => idsOf(seen).size >= count)
  await codec.prepare(records.map(({ value }) => value))
  const movements = new Map<string, StockMoved>()
  for (const { value } of records) {
    const movement = codec.decode(value)
    movements.set(movement.movementID, movement)
  }
  const pieces = new Map<string, number>()
  for (const { sku, delta } of movements.values()) pieces.set(sku, (pieces.get(sku) ?? 0) + delta)
  return pieces
}

/** Places orders and changes stock until the signal aborts. @returns the orders */
async function work(pipeline: Pipeline, instance: TestService, signal: AbortSignal): Promise<OrderCreated[]> {
  const placed: OrderCreated[] = []
  for (let round = 0; !signal.aborted; round++) {
    const orders = someOrders(10)
    await pipeline.place(orders)
    await adjust(instance, skus[round % 3] as string, round % 2 === 0 ? 5 : 1, `round ${round}`)
    placed.push(...orders)
  }
  return placed
}

test('a restored inventory is rebuilt from its topics and continues without losses', async (t: TestContext) => {
  const database = await startDatabase(t)
  const pipeline = await startPipeline(t, database)
  const first = await pipeline.start(t, 'one')
  for (const sku of skus) await put(first, sku, { onHand: 150 })
  const before = [...someOrders(40), ...someOrders(20, 3_600)]
  await pipeline.place(before)
  await pipeline.untilDecided(before)
  await pipeline.ask(before.slice(0, 5).map(requestOf('cancel')))

  const ending = new AbortController()
  const working = work(pipeline, first, ending.signal)
  await database.backUp()
  await delay(500)
  ending.abort()
  const meanwhile = await working
  const after = [...someOrders(30), ...someOrders(10, 3_600), ...someOrders(4, 1)]
  await pipeline.place(after)
  await pipeline.untilDecided([...meanwhile, ...after])
  await put(first, 'NEW', { available: 50 })
  const ofNew = [orderCreated({ items: [{ sku: 'NEW', quantity: 7 }] })]
  await pipeline.place(ofNew)
  await pipeline.untilDecided(ofNew)
  // Changes orders from before and after the backup, and one that is placed after the restore.
  const late = orderCreated({ items: [{ sku: 'MUG', quantity: 1 }] })
  const held = (orders: readonly OrderCreated[]) => orders.filter(({ holdSeconds }) => holdSeconds === 3_600)
  await pipeline.ask([
    ...[late, ...before.slice(5, 9), ...after.slice(0, 5)].map(requestOf('cancel')),
    ...[...held(before).slice(0, 8), ...held(after).slice(0, 4)].map(requestOf('confirm'))
  ])
  while ((await pipeline.pool.query("SELECT FROM inventory.outcomes WHERE reason = 'CANCELLED'")).rowCount !== 1)
    await delay(20)
  const expiring = after.filter(({ holdSeconds }) => holdSeconds === 1).map(({ orderID }) => orderID)
  while ((await pipeline.pool.query('SELECT FROM inventory.holds WHERE order_id = ANY($1)', [expiring])).rowCount !== 0)
    await delay(20)
  const settlementsBefore = await pipeline.settlements()
  await untilPublished(pipeline)
  const levels = await pipeline.store.levels()
  const movements = (await pipeline.pool.query('SELECT movement_id FROM inventory.stock_movements')).rowCount ?? 0

  await t.test('reconcile refuses to run while the inventory runs', async () => {
    const { code, stderr } = await tryToReconcile(pipeline, '--apply')
    assert.equal(code, 1)
    assert.match(stderr, /The inventory is running .* stop all of its instances/)
  })

  await first.stop('SIGKILL')
  await database.restore()
  assert.notDeepEqual(await pipeline.store.levels(), levels)

  await t.test('a dry run reports missing data and changes nothing', async () => {
    const restored = await pipeline.store.levels()
    const { report } = await reconcile(pipeline)
    for (const what of ['reservation', 'failure', 'confirmation', 'release', 'movement', 'cancellation'])
      assert.ok((report.added[what] ?? 0) > 0, `${what}: ${JSON.stringify(report.added)}`)
    assert.deepEqual(await pipeline.store.levels(), restored)
  })

  await t.test(
    'reconcile --apply restores the stock even after an interruption, and a second run adds nothing',
    async () => {
      await interruptedReconcile(pipeline)
      const { report } = await reconcile(pipeline, '--apply')
      for (const [what, { count }] of Object.entries({ ...report.lost, ...report.contradictions }))
        assert.equal(count, 0, what)
      assert.deepEqual(await pipeline.store.levels(), levels)
      const again = await reconcile(pipeline, '--apply')
      assert.deepEqual(new Set(Object.values(again.report.added)), new Set([0]))
      assert.equal(again.report.stock.count, 0)
      assert.equal((await pipeline.pool.query('SELECT movement_id FROM inventory.stock_movements')).rowCount, movements)
    }
  )

  await t.test('afterwards every order has one outcome, and movements account for every piece', async t => {
    const second = await pipeline.start(t, 'one')
    assert.equal(await adjust(second, 'MUG', 5, 'round 0'), true)
    await put(second, 'TEA', { available: 40 })
    const more = [late, ...someOrders(30)]
    await pipeline.place(more)
    await pipeline.ask([...before.slice(20, 25), ...after.slice(20, 25), ...after.slice(0, 5)].map(requestOf('cancel')))
    const orders = [...before, ...meanwhile, ...after, ...ofNew, ...more]
    const decided = await pipeline.untilDecided(orders)
    for (const { order, outcomes } of decided) assert.equal(outcomes.length, 1, order.orderID)
    const [outcomeOfLate] = decided.find(({ order }) => order === late)?.outcomes ?? []
    assert.ok(outcomeOfLate !== undefined && 'reason' in outcomeOfLate.event)
    assert.equal(outcomeOfLate.event.reason, failureReasons.cancelled)
    for (const [orderID, reported] of await pipeline.settlements()) {
      const kinds = reported.map(({ eventType }) => eventType)
      assert.equal(new Set(kinds).size, kinds.length, orderID)
    }
    assert.ok(settlementsBefore.size > 0)

    await untilPublished(pipeline)
    const pieces = await putIn(pipeline, movements + 1)
    await checkBooks(pipeline.pool, pieces, pipeline.placed)
  })
})
