import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { driveStock } from './drive-stock.ts'

interface Asked {
  readonly method: string | undefined
  readonly path: string | undefined
  readonly key: string | undefined
  readonly body: { readonly reason: string; readonly delta?: number }
}

test('an adjustment is repeated with its key while its result is unknown, and other changes are not', async t => {
  const asked: Asked[] = []
  const enough = Promise.withResolvers<void>()
  const server = createServer(async (request, response) => {
    if (request.method === 'GET') {
      const level = { sku: 'TEA', available: 3, reserved: 2, onHand: 5 }
      return response.end(JSON.stringify(request.url === '/stock' ? { items: [level] } : level))
    }
    const { method, url: path, headers } = request
    const body = JSON.parse(await text(request))
    const isRepeated = asked.some(other => other.body.reason === body.reason)
    asked.push({ method, path, key: headers['idempotency-key'] as string | undefined, body })
    if (asked.filter(other => other.method === 'POST').length > 4) enough.resolve()
    if (!isRepeated && method === 'POST') return response.writeHead(503, { 'retry-after': '1' }).end('{}')
    return response.end(JSON.stringify({ available: 3, reserved: 2, onHand: 5 }))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.close().closeAllConnections()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const driver = driveStock({
    ...{ seed: 1, skus: ['TEA'], endpoints: () => [url] },
    databaseURL: 'postgres://nobody@127.0.0.1:1/none'
  })
  await enough.promise
  const { changes, reads, snapshots } = await driver.stop()

  for (const { method, path, key, body } of asked) {
    assert.equal(key === undefined, method === 'PUT')
    assert.match(path ?? '', method === 'PUT' ? /^\/stock\/[^/]+$/ : /^\/stock\/[^/]+\/adjustments$/)
    const attempts = asked.filter(other => other.body.reason === body.reason)
    assert.equal(new Set(attempts.map(other => JSON.stringify(other))).size, 1, 'all attempts are the same request')
    if (method === 'PUT') assert.equal(attempts.length, 1)
  }
  const adjusted = Map.groupBy(
    changes.filter(({ change }) => change.kind === 'adjust'),
    ({ id }) => id
  )
  assert.ok(
    [...adjusted.values()].some(attempts =>
      attempts
        .map(({ result }) => result.kind)
        .join()
        .startsWith('unknown,done')
    )
  )
  assert.ok(changes.length >= asked.length)
  for (const { level } of reads) assert.deepEqual(level, { available: 3, reserved: 2, onHand: 5 })
  assert.deepEqual(snapshots, [])
})
