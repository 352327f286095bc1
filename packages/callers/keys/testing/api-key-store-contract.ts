import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { newApiKey } from '../api-key.ts'
import type { ApiKeyStore, KeyGrant } from '../key-store.ts'

/** Contract test for stores of API keys, in memory and in Postgres. */
export function testApiKeyStore(name: string, open: (t: TestContext) => Promise<ApiKeyStore>): void {
  const add = async (store: ApiKeyStore, grant: KeyGrant) => {
    const key = newApiKey()
    await store.add(key, grant)
    return key
  }
  const validIDs = async (store: ApiKeyStore) => (await store.valid()).map(({ id }) => id).sort()

  test(`${name}: a key is stored with its caller and its hash`, async t => {
    const store = await open(t)
    const expiresAtMs = Date.now() + 60_000
    const key = await add(store, { name: 'berlin', role: 'shop', requestsPerMinute: 7, expiresAtMs })
    const [stored, ...others] = await store.valid()
    assert.ok(stored !== undefined && others.length === 0)
    const { createdAtMs, ...rest } = stored
    const grant = { name: 'berlin', role: 'shop', requestsPerMinute: 7, expiresAtMs }
    assert.deepEqual(rest, { id: key.id, hash: key.hash.toString('hex'), ...grant })
    assert.ok(Math.abs(Date.now() - createdAtMs) < 60_000)
  })

  test(`${name}: all keys of a caller share one role and one quota`, async t => {
    const store = await open(t)
    await add(store, { name: 'berlin', role: 'shop', requestsPerMinute: 7 })
    await add(store, { name: 'berlin', role: 'shop' })
    await add(store, { name: 'ops', role: 'operator' })
    await assert.rejects(add(store, { name: 'berlin', role: 'operator' }), RangeError)
    const quotas = async () => (await store.valid()).map(key => [key.name, key.requestsPerMinute]).sort()
    assert.deepEqual(await quotas(), [
      ['berlin', 7],
      ['berlin', 7],
      ['ops', undefined]
    ])
    await add(store, { name: 'berlin', role: 'shop', requestsPerMinute: 9 })
    assert.deepEqual(
      (await quotas()).slice(0, 3),
      [1, 2, 3].map(() => ['berlin', 9])
    )
  })

  test(`${name}: revoked and expired keys are invalid but still listed`, async t => {
    const store = await open(t)
    const first = await add(store, { name: 'berlin', role: 'shop' })
    const second = await add(store, { name: 'berlin', role: 'shop' })
    const expired = await add(store, { name: 'berlin', role: 'shop', expiresAtMs: Date.now() - 1_000 })
    assert.deepEqual(await validIDs(store), [first.id, second.id].sort())
    assert.deepEqual(await store.revoke({ id: first.id }), [first.id])
    assert.deepEqual(await store.revoke({ id: first.id }), [])
    assert.deepEqual(await store.revoke({ id: expired.id }), [])
    assert.deepEqual(await store.revoke({ name: 'berlin' }), [second.id])
    assert.deepEqual(await validIDs(store), [])
    const all = await store.all()
    assert.equal(all.length, 3)
    assert.deepEqual(
      all
        .filter(({ revokedAtMs }) => revokedAtMs !== undefined)
        .map(({ id }) => id)
        .sort(),
      [first.id, second.id].sort()
    )
  })
}
