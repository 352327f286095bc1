import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { createInspector, createProducer, readDeadLetters } from '@orderly/kafka'
import { deleteGroup, deleteRecords } from '@orderly/kafka/testing'
import { backUpSchema, withOwnRole } from '@orderly/launcher/testing'
import { get, post, startOrderPipeline } from './testing/order-pipeline.ts'

const rebuild = new URL('projection/rebuild.ts', import.meta.url).pathname
const inStock = { items: [{ sku: 'TEA-EARL-GREY-100G', quantity: 1 }], total: 6.9 }
const outOfStock = { items: [{ sku: 'NEVER-STOCKED', quantity: 2 }], total: 1 }

test('order status can be read, awaited, listed, streamed and rebuilt', async t => {
  const pipeline = await startOrderPipeline(t)
  let [first, second, inventory] = await Promise.all([
    pipeline.startOrder('1'),
    pipeline.startOrder('2'),
    pipeline.startInventory()
  ])
  const userID = `user-${randomUUID()}`
  const runRebuild = async () => {
    const env = { ...process.env, ...withOwnRole('order', pipeline.environment) }
    const { stdout } = await promisify(execFile)(process.execPath, [rebuild], { env, timeout: 120_000 })
    const done = JSON.parse(stdout.trim().split('\n').at(-1) ?? '')
    assert.equal(done.msg, 'status rebuilt')
    return { written: done.written, unreadable: done.unreadable, kept: done.kept as Record<string, number> }
  }
  const table = async () => (await pipeline.pool.query('SELECT * FROM orders.orders ORDER BY order_id')).rows

  await t.test('Prefer: wait returns the outcome, which all instances know then', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    const waited = await post(first.url, { ...inStock, userID }, { prefer: 'wait=25', traceparent })
    assert.deepEqual([waited.status, waited.headers.get('preference-applied')], [200, 'wait=25'])
    assert.equal(waited.body.status, 'reserved')
    assert.equal(waited.body.traceID, '0af7651916cd43dd8448eb211c80319c')
    assert.deepEqual([waited.body.total, waited.body.currency, waited.body.items], [6.9, 'EUR', inStock.items])
    assert.deepEqual((await get(second.url, String(waited.headers.get('location')))).body, waited.body)

    const failed = await post(second.url, { ...outOfStock, userID }, { prefer: 'wait=25' })
    assert.equal(failed.body.status, 'failed')
    const unknown = { sku: 'NEVER-STOCKED', requested: 2, available: 0, reason: 'UNKNOWN_SKU' }
    assert.deepEqual([failed.body.reason, failed.body.shortages], ['UNKNOWN_SKU', [unknown]])
    const startMs = performance.now()
    const third = await post(second.url, { ...inStock, userID }, { prefer: 'wait=25' })
    assert.equal(third.body.status, 'reserved')
    t.diagnostic(`waited ${Math.round(performance.now() - startMs)} ms for an outcome`)
  })

  await t.test('the link of a new order works immediately, and pages contain every order', async () => {
    const placed: string[] = []
    for (let order = 0; order < 5; order++) {
      const { body } = await post(first.url, { ...inStock, userID })
      placed.push(body.orderID)
      const { status } = await get(second.url, body.links.self)
      assert.equal(status, 200)
    }
    const listed: string[] = []
    let path: string | undefined = `/orders?userID=${userID}&limit=3`
    while (path !== undefined) {
      const { body } = await get(second.url, path)
      listed.push(...body.orders.map(({ orderID }: { orderID: string }) => orderID))
      path = body.nextCursor && `/orders?userID=${userID}&limit=3&cursor=${body.nextCursor}`
    }
    assert.equal(listed.length, 8)
    assert.deepEqual(listed.slice(0, 5).toReversed(), placed)
  })

  await t.test('a stream sends each status once, resumes after the last received event, and ends', async () => {
    await inventory.stop()
    const { body } = await post(first.url, { ...inStock, userID })
    const stream = await fetch(`${second.url}${body.links.events}`)
    const reader = (stream.body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream()).getReader()
    let text = ''
    while (!text.includes('"accepted"')) text += (await reader.read()).value
    await reader.cancel()
    inventory = await pipeline.startInventory()
    const headers = { 'last-event-id': `OrderCreated-${body.orderID}` }
    const rest = await (await fetch(`${first.url}${body.links.events}`, { headers })).text()
    assert.match(rest, new RegExp(`id: InventoryReserved-${body.orderID}\nevent: status\ndata: .*"reserved"`))
    assert.ok(!rest.includes('"accepted"'))
    const last = { 'last-event-id': `InventoryReserved-${body.orderID}` }
    assert.equal((await fetch(`${first.url}${body.links.events}`, { headers: last })).status, 204)
  })

  await t.test('cancel, confirm and expiry are visible on all instances and in the stream', async () => {
    const changeRequest = async (via: { url: string }, orderID: string, changeRequest: string) => {
      const headers = { prefer: 'wait=25' }
      const answer = await fetch(`${via.url}/orders/${orderID}/${changeRequest}`, { method: 'POST', headers })
      const { status, code, cancelledAt, confirmedAt } = (await answer.json()) as Record<string, string | undefined>
      return [answer.status, code ?? status, cancelledAt !== undefined, confirmedAt !== undefined]
    }
    const plain = await post(first.url, { ...inStock, userID })
    assert.deepEqual(await changeRequest(second, plain.body.orderID, 'cancel'), [200, 'cancelled', true, false])
    assert.deepEqual(await changeRequest(first, plain.body.orderID, 'cancel'), [200, 'cancelled', true, false])

    const held = await post(first.url, { ...inStock, userID, holdSeconds: 900 }, { prefer: 'wait=25' })
    assert.deepEqual([held.body.status, held.body.holdSeconds], ['reserved', 900])
    assert.equal(Date.parse(held.body.holdUntil), Date.parse(held.body.decidedAt) + 900_000)
    const whole = fetch(`${second.url}${held.body.links.events}?until=final`).then(answer => answer.text())
    assert.deepEqual(await changeRequest(second, held.body.orderID, 'confirm'), [200, 'confirmed', false, true])
    assert.deepEqual(await changeRequest(first, held.body.orderID, 'cancel'), [200, 'cancelled', true, true])

    assert.deepEqual(
      [...(await whole).matchAll(/"status":"(\w+)".*"isFinal":(\w+)/g)].map(([, ...reported]) => reported.join(' ')),
      ['accepted false', 'reserved false', 'confirmed false', 'cancelled true']
    )

    const forgotten = await post(first.url, { ...inStock, userID, holdSeconds: 1 })
    const events = await (await fetch(`${second.url}${forgotten.body.links.events}`)).text()
    const statuses = [...events.matchAll(/"status":"(\w+)"/g)].map(([, status]) => status)
    assert.deepEqual(statuses, ['accepted', 'reserved', 'expired'])
    assert.deepEqual(await changeRequest(second, forgotten.body.orderID, 'confirm'), [
      409,
      'ORDER_EXPIRED',
      false,
      false
    ])
  })

  await t.test('a rebuild from the topics restores the previous status', async () => {
    const before = await table()
    assert.equal(before.length, 12)
    await pipeline.pool.query("DELETE FROM orders.orders WHERE outcome = 'failed'")
    await pipeline.pool.query(
      "UPDATE orders.orders SET total_minor = 1, outcome = 'failed', reason = 'WRONG', release_cause = 'WRONG'"
    )
    await pipeline.pool.query(`INSERT INTO orders.orders (order_id, user_id, accepted_at, created_partition, created_offset)
      SELECT 'stranger', 'x', now(), created_partition, 0 FROM orders.orders LIMIT 1`)
    assert.deepEqual(await runRebuild(), { written: 12, unreadable: 0, kept: { 'without a record': 1 } })
    await pipeline.pool.query("DELETE FROM orders.orders WHERE order_id = 'stranger'")
    assert.deepEqual(await table(), before)
  })

  await t.test('a rebuild keeps and reports orders whose records were removed by retention', async () => {
    const before = await table()
    for (const [name, partitions] of Map.groupBy(
      before.map(({ created_partition, created_offset }) => ({ partition: created_partition, offset: created_offset })),
      ({ partition }) => partition
    )) {
      const last = Math.max(...partitions.map(({ offset }) => offset))
      await deleteRecords(pipeline.connection, { topic: 'orders.created', partition: name }, BigInt(last))
    }
    await pipeline.pool.query("UPDATE orders.orders SET reason = 'WRONG' WHERE outcome = 'failed'")
    // An order that was cancelled before its decision has failed too.
    const failed = before.filter(({ outcome }) => outcome === 'failed').length
    const { written, kept } = await runRebuild()
    assert.deepEqual([written, kept], [failed, {}])
    assert.deepEqual(await table(), before)

    for (const { outcome, outcome_partition: partition, outcome_offset: offset } of before) {
      await deleteRecords(pipeline.connection, { topic: `inventory.${outcome}`, partition }, BigInt(offset + 1))
    }
    const gone = await runRebuild()
    assert.ok((gone.kept['removed by retention'] ?? 0) > 0)
    assert.deepEqual(await table(), before)
  })

  await t.test(
    'a rebuild skips an unreadable record, reads later ones of its key, and leaves no dead letter or group',
    async () => {
      const blocked = `user-${randomUUID()}`
      const producer = await createProducer(pipeline.connection)
      t.after(() => producer.close())
      await producer.send([{ topic: 'orders.created', key: blocked, value: Buffer.from('not Avro'), headers: {} }])
      const { body } = await post(first.url, { ...inStock, userID: blocked })
      const deadLetters = () =>
        readDeadLetters(pipeline.connection, ['orders.created.dlq'], AbortSignal.timeout(60_000))
      const stagesOf = (keys: Awaited<ReturnType<typeof deadLetters>>) =>
        keys.flatMap(({ stage, deadLetters }) => deadLetters.map(() => stage)).toSorted()
      const expected = ['inventory', 'inventory', 'order-status', 'order-status']
      while (stagesOf(await deadLetters()).length < expected.length);
      assert.equal((await get(first.url, `/orders/${body.orderID}`)).status, 404)

      const rebuilt = await runRebuild()
      assert.deepEqual([rebuilt.written, rebuilt.unreadable], [1, 1])
      assert.equal((await get(first.url, `/orders/${body.orderID}`)).body.status, 'accepted')
      assert.deepEqual(stagesOf(await deadLetters()), expected)
      const inspector = createInspector(pipeline.connection)
      t.after(() => inspector.close())
      const groups = await inspector.groups()
      assert.deepEqual(groups.toSorted(), ['order-status', 'orders-created'])
    }
  )

  await t.test('a restored database rewinds the projection, which stores the lost facts again', async () => {
    const placing = () => post(first.url, { ...inStock, userID }, { prefer: 'wait=25' })
    await placing()
    const backup = await backUpSchema(pipeline.pool, 'orders')
    const lost = [await placing(), await placing()]
    await backup.restore()
    const next = await placing()
    for (const { body } of [...lost, next]) {
      const status = async () => (await get(second.url, `/orders/${body.orderID}`)).body.status
      while ((await status()) !== 'reserved') await delay(20)
    }
    const { rows } = await pipeline.pool.query('SELECT DISTINCT kind FROM orders.incidents')
    assert.deepEqual(rows, [{ kind: 'database_behind' }])
  })

  await t.test('a rebuild reports orders whose topic was deleted and created again', async () => {
    const { body } = await post(first.url, { ...inStock, userID }, { prefer: 'wait=25' })
    await pipeline.pool.query('INSERT INTO orders.topics (topic_id) VALUES (gen_random_uuid())')
    await pipeline.pool.query(
      'UPDATE orders.orders SET order_id = $1, created_topic = (SELECT max(number) FROM orders.topics) WHERE order_id = $2',
      [`former ${body.orderID}`, body.orderID]
    )
    const { kept } = await runRebuild()
    assert.equal(kept['of a deleted topic'], 1)
    await pipeline.pool.query("DELETE FROM orders.orders WHERE order_id LIKE 'former %'")
  })

  await t.test('a rebuild refuses to run while another one is running', async () => {
    const other = await pipeline.pool.connect()
    try {
      await other.query("SELECT pg_advisory_lock(hashtext('orders.orders rebuild'))")
      await assert.rejects(runRebuild(), { code: 1, stderr: /^Another rebuild of the order status is running/ })
    } finally {
      other.release(true)
    }
  })

  await t.test('neither an open stream nor a waiting request delays the stop of the service', async () => {
    await inventory.stop()
    const waiter = `user-${randomUUID()}`
    const { body } = await post(second.url, { ...inStock, userID: `user-${randomUUID()}` })
    const stream = await fetch(`${second.url}${body.links.events}`)
    assert.equal(stream.status, 200)
    const waiting = post(second.url, { ...inStock, userID: waiter }, { prefer: 'wait=30' })
    while ((await get(first.url, `/orders?userID=${waiter}`)).body.orders.length === 0);
    const startMs = performance.now()
    second.signal('SIGTERM')
    assert.match(await stream.text(), /"accepted"/)
    assert.equal((await waiting).status, 202)
    assert.equal((await second.exit).code, 0)
    t.diagnostic(`stopped after ${Math.round(performance.now() - startMs)} ms`)
  })

  await t.test(
    'without the offsets of the projection, orders are accepted and their status is not updated',
    async () => {
      await Promise.all([first.stop(), second.stop()])
      await deleteGroup(pipeline.connection, 'order-status')
      first = await pipeline.startOrder('1')
      const refused = async () => (await first.logs()).find(({ event }) => event === 'projection_refused')
      while ((await refused()) === undefined) await delay(50)
      assert.match(String((await refused())?.msg), /Run: orderly positions resolve order-status/)
      const { status, body } = await post(first.url, { ...inStock, userID })
      assert.equal(status, 202)
      assert.equal((await get(first.url, `/orders/${body.orderID}`)).status, 404)
    }
  )
})
