import assert from 'node:assert/strict'
import { randomBytes, randomUUID } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { type BatchClaim, type KeyClaim, type KeyStore, type KnownKey, reservationTrustMs } from '../key-state.ts'

export interface OpenedKeyStore {
  readonly store: KeyStore
  /** Makes all stored keys and batches older by `ms`. */
  age(ms: number): Promise<void>
}

const leaseMs = 60_000
const hourMs = 3_600_000

let claims = 0
export function aClaim(key: string, fields: Partial<KeyClaim> = {}): KeyClaim {
  const number = ++claims
  const order = { orderID: `order-${number}`, acceptedAtMs: 1_700_000_000_000 + number, traceparent: `trace-${number}` }
  return { caller: 'shop', key, ...order, fingerprint: Buffer.alloc(32, 'a'), ...fields }
}

/** Returns a batch of new orders with these keys. */
export function aBatch(...keys: readonly string[]): BatchClaim {
  return batchOf(keys.map(key => aClaim(key)))
}

function batchOf(claims: readonly KeyClaim[]): BatchClaim {
  return { id: randomUUID(), partition: 2, bytes: randomBytes(5_000), claims }
}

/** Returns the state of a key that exists. */
async function known(store: KeyStore, key: string): Promise<KnownKey> {
  const found = await store.claim([aBatch(key)], leaseMs)
  assert.equal(found?.length, 1, `the key ${key} does not exist`)
  return found[0] as KnownKey
}

/** Returns the first key of a batch. */
const nameIn = ({ claims: [claim] }: BatchClaim) => claim ?? { caller: 'shop', key: 'none' }

const stateOf = async (store: KeyStore, key: string) => (await known(store, key)).state.kind

/** Contract test of every key store, in memory and in Postgres. */
export function testKeyStore(title: string, open: (t: TestContext) => Promise<OpenedKeyStore>): void {
  test(`${title}: a claim stores its batches, and the state of its keys is in flight`, async t => {
    const { store } = await open(t)
    const batches = [aBatch('a', 'b'), aBatch('c')]
    assert.equal(await store.claim(batches, leaseMs), undefined)
    for (const { id, claims } of batches) {
      for (const claim of claims) {
        const { state, ...content } = await known(store, claim.key)
        assert.deepEqual(content, claim)
        assert.ok(state.kind === 'in-batch' && state.batchID === id)
        assert.ok(state.leaseLeftMs > 0 && state.leaseLeftMs <= leaseMs)
      }
    }
  })

  test(`${title}: a claim with a key that exists returns this key and claims nothing`, async t => {
    const { store, age } = await open(t)
    const first = aBatch('a', 'b')
    await store.claim([first], leaseMs)
    const second = aBatch('b', 'c')
    const found = await store.claim([second, aBatch('d')], leaseMs)
    assert.deepEqual(
      found?.map(({ key, orderID }) => [key, orderID]),
      [['b', first.claims[1]?.orderID]]
    )
    await age(2 * leaseMs)
    assert.equal(await store.takeBatch(second.id, nameIn(second), leaseMs), undefined)
    assert.equal(await store.claim([aBatch('c', 'd')], leaseMs), undefined)
  })

  test(`${title}: the keys of a batch that is marked as stored are stored`, async t => {
    const { store, age } = await open(t)
    const batches = [aBatch('a', 'b'), aBatch('c')] as const
    await store.claim(batches, leaseMs)
    await store.markStored(batches[0].id)
    await store.markStored(batches[0].id)
    await age(2 * leaseMs)
    assert.deepEqual(
      [await stateOf(store, 'a'), await stateOf(store, 'b'), await stateOf(store, 'c')],
      ['stored', 'stored', 'in-batch']
    )
    assert.equal(await store.takeBatch(batches[0].id, nameIn(batches[0]), leaseMs), undefined)
  })

  test(`${title}: different callers and keys are independent`, async t => {
    const { store } = await open(t)
    for (const [caller, key] of [
      ['shop', 'key-1'],
      ['other', 'key-1'],
      ['shop', 'KEY-1'],
      ['shop key', '-1']
    ] as const)
      assert.equal(await store.claim([batchOf([aClaim(key, { caller })])], leaseMs), undefined)
  })

  test(`${title}: after the lease has ended or was released, the next attempt gets exactly the same bytes`, async t => {
    const { store, age } = await open(t)
    const batch = aBatch('a', 'b')
    const { claims, ...content } = batch
    const take = () => store.takeBatch(batch.id, claims[0] as KeyClaim, leaseMs)
    await store.claim([batch], leaseMs)
    assert.equal(await take(), undefined)
    await age(leaseMs)
    assert.deepEqual(await take(), { ...content, attempt: 2, mayBeForgotten: false })
    assert.equal(await take(), undefined)
    await store.releaseBatch(batch.id, 1)
    assert.equal(await take(), undefined, 'attempt 1 no longer holds the lease')
    await store.releaseBatch(batch.id, 2)
    assert.deepEqual(await take(), { ...content, attempt: 3, mayBeForgotten: false })
  })

  test(`${title}: exactly one of several concurrent attempts takes a batch over`, async t => {
    const { store, age } = await open(t)
    const batch = aBatch('a')
    await store.claim([batch], leaseMs)
    await age(leaseMs)
    const taken = await Promise.all(Array.from({ length: 20 }, () => store.takeBatch(batch.id, nameIn(batch), leaseMs)))
    assert.deepEqual(
      taken.flatMap(one => one?.attempt ?? []),
      [2]
    )
  })

  test(`${title}: a batch can be forgotten only in its first attempt, and then its keys are unknown again`, async t => {
    const { store, age } = await open(t)
    const batch = aBatch('a', 'b')
    await store.claim([batch, aBatch('c')], leaseMs)
    assert.equal(await store.forgetBatch(batch), true)
    assert.equal(await store.forgetBatch(batch), false)
    assert.equal(await stateOf(store, 'c'), 'in-batch')
    const second = aBatch('a', 'b')
    assert.equal(await store.claim([second], leaseMs), undefined)
    await age(leaseMs)
    await store.takeBatch(second.id, nameIn(second), leaseMs)
    assert.equal(await store.forgetBatch(second), false)
    assert.equal(await stateOf(store, 'a'), 'in-batch')
    const third = aBatch('d')
    await store.claim([third], leaseMs)
    await store.markStored(third.id)
    assert.equal(await store.forgetBatch(third), false)
    assert.equal(await stateOf(store, 'd'), 'stored')
  })

  test(`${title}: an order whose reservation brokers may have forgotten can be moved to another batch, once`, async t => {
    const { store, age } = await open(t)
    const old = aBatch('a', 'b')
    await store.claim([old], leaseMs)
    await age(reservationTrustMs + 1_000)
    const before = await known(store, 'a')
    assert.equal((await store.takeBatch(old.id, nameIn(old), leaseMs))?.mayBeForgotten, true)
    const { claims: _, ...batch } = aBatch()
    assert.equal(await store.move(before, batch, leaseMs), true)
    assert.equal(await store.move(before, aBatch(), leaseMs), false, 'the key has another batch')
    const moved = await known(store, 'a')
    assert.ok(moved.state.kind === 'in-batch' && moved.state.batchID === batch.id)
    assert.deepEqual([moved.orderID, moved.acceptedAtMs], [before.orderID, before.acceptedAtMs])
    await store.markStored(batch.id)
    assert.deepEqual([await stateOf(store, 'a'), await stateOf(store, 'b')], ['stored', 'in-batch'])
  })

  test(`${title}: exactly one of several concurrent claims gets the key`, async t => {
    const { store } = await open(t)
    const found = await Promise.all(Array.from({ length: 20 }, () => store.claim([aBatch('a')], leaseMs)))
    assert.equal(found.filter(keys => keys === undefined).length, 1)
  })

  test(`${title}: old keys are pruned, at most the limit at a time`, async t => {
    const { store, age } = await open(t)
    const batch = aBatch('a', 'b', 'c')
    await store.claim([batch], leaseMs)
    await store.markStored(batch.id)
    await age(25 * hourMs)
    await store.claim([aBatch('d')], leaseMs)
    assert.equal(await store.prune(26 * hourMs, 10), 0)
    assert.equal(await store.prune(24 * hourMs, 2), 2)
    assert.equal(await store.prune(24 * hourMs, 2), 1)
    assert.equal(await stateOf(store, 'd'), 'in-batch')
    assert.equal(await store.claim([aBatch('a', 'b', 'c')], leaseMs), undefined)
  })

  test(`${title}: a key whose batch is still retried is not pruned, even if its claim is old`, async t => {
    const { store, age } = await open(t)
    const [retried, abandoned] = [aBatch('retried'), aBatch('abandoned')]
    await store.claim([retried, abandoned], leaseMs)
    await age(25 * hourMs)
    assert.equal((await store.takeBatch(retried.id, nameIn(retried), leaseMs))?.attempt, 2)
    assert.equal(await store.prune(24 * hourMs, 10), 1)
    assert.equal(await stateOf(store, 'retried'), 'in-batch')
    await store.markStored(retried.id)
    assert.equal(await store.prune(24 * hourMs, 10), 0)
    assert.equal(await stateOf(store, 'retried'), 'stored')
    assert.equal(await store.claim([aBatch('abandoned')], leaseMs), undefined)
  })

  test(`${title}: a change request gets its key immediately, can be repeated, and shares its keys with orders`, async t => {
    const { store, age } = await open(t)
    const change = {
      ...{ caller: 'shop', key: 'key-1', orderID: 'order-1' },
      ...{ change: 'cancel', requestedAtMs: 1, traceparent: 'trace-1' }
    }
    assert.deepEqual([await store.claimChange(change), await store.claimChange(change)], ['first', 'repeated'])
    const others = [
      { ...change, change: 'confirm' },
      { ...change, orderID: 'order-2' }
    ]
    for (const other of others) assert.equal(await store.claimChange(other), 'other-request')
    const { fingerprint } = await known(store, 'key-1')
    assert.notDeepEqual(fingerprint, aClaim('key-1').fingerprint)
    assert.equal(await store.claimChange({ ...change, caller: 'another shop' }), 'first')
    const order = aBatch('of an order')
    await store.claim([order], leaseMs)
    await store.markStored(order.id)
    assert.equal(await store.claimChange({ ...change, key: 'of an order' }), 'other-request')
    await age(25 * hourMs)
    assert.equal(await store.prune(24 * hourMs, 10), 3)
    assert.equal(await store.claimChange({ ...change, change: 'confirm' }), 'first')
  })
}
