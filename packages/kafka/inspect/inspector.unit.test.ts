import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { test } from 'node:test'
import { createInspector } from './inspector.ts'

test('a query to a broker that never answers fails after a few timeouts', async t => {
  let requests = 0
  const frozen = createServer(socket => socket.on('data', () => requests++).on('error', () => {}))
  frozen.listen(0, '127.0.0.1')
  await once(frozen, 'listening')
  const { port } = frozen.address() as AddressInfo
  t.after(() => frozen.close())
  const inspector = createInspector({ brokers: [`127.0.0.1:${port}`], clientID: 'test' }, { requestTimeoutMs: 200 })
  t.after(() => inspector.close())
  await assert.rejects(inspector.topics(), { code: 'BROKER_UNAVAILABLE' })
  assert.ok(requests > 0 && requests <= 3, `${requests} requests`)
})
