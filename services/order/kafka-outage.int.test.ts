import assert from 'node:assert/strict'
import { test } from 'node:test'
import { get, post, startOrderPipeline } from './testing/order-pipeline.ts'

const anOrder = { userID: 'ann', items: [{ sku: 'TEA-EARL-GREY-100G', quantity: 1 }], total: 6.9 }

test('without Kafka the service starts and stays ready: orders get 503, reads and streams work', async t => {
  const pipeline = await startOrderPipeline(t)
  const [service, inventory] = await Promise.all([
    pipeline.startOrder('1', { ORDER_DELIVERY_TIMEOUT_MS: '500' }),
    pipeline.startInventory()
  ])
  const held = await post(service.url, { ...anOrder, holdSeconds: 900 }, { prefer: 'wait=25' })
  assert.equal(held.status, 200)
  const { self, events } = held.body.links
  const openStream = await fetch(`${service.url}${events}`)

  await pipeline.broker.stop()
  const kafkaCheck = async (url: string) => (await get(url, '/health/ready')).body.checks.kafka
  while ((await kafkaCheck(service.url)) !== 'failing');
  const refused = await post(service.url, anOrder)
  assert.deepEqual([refused.status, refused.body.code], [503, 'UNAVAILABLE'])
  assert.match(refused.headers.get('retry-after') ?? '', /^\d+$/)

  const second = await pipeline.startOrder('2', { ORDER_DELIVERY_TIMEOUT_MS: '500' })
  for (const { url } of [service, second]) {
    assert.equal((await get(url, '/health/ready')).status, 200)
    assert.equal((await get(url, self)).body.status, 'reserved')
    assert.equal((await get(url, `/orders?userID=${anOrder.userID}`)).body.orders.length, 1)
    const stream = await fetch(`${url}${events}`)
    const { value } = (await stream.body?.getReader().read()) ?? {}
    assert.match(Buffer.from(value ?? []).toString(), /retry: /)
  }
  // The API of the inventory needs only its database.
  assert.equal((await get(inventory.url, '/health/ready')).status, 200)
  assert.equal((await get(inventory.url, '/stock/TEA-EARL-GREY-100G')).status, 200)

  await pipeline.broker.start()
  while ((await post(service.url, anOrder)).status !== 202);
  while ((await post(second.url, anOrder)).status !== 202);
  await openStream.body?.cancel()
})
