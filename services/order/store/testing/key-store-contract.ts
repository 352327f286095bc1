import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { Placement } from '../../domain/accept-order.ts'
import { type KeyClaim, type KeyStore, reservationTrustMs } from '../idempotency-keys.ts'

export interface OpenedKeyStore {
  readonly store: KeyStore
  /** Makes all stored keys older by `ms`. */
  age(ms: number): Promise<void>
}

const leaseMs = 60_000
const name = { caller: 'shop', key: 'key-1' }

let claims = 0
export function aClaim(key: string): KeyClaim {
  return claim({ key })
}

function claim(fields: Partial<KeyClaim> = {}): KeyClaim {
  const number = ++claims
  const reservation = { partition: 2, producerID: 9_007_199_254_740_993n + BigInt(number), epoch: 0, sequence: number }
  const order = { orderID: `order-${number}`, acceptedAtMs: 1_700_000_000_000 + number, traceparent: `trace-${number}` }
  return { ...name, ...order, fingerprint: 'ab'.repeat(32), reservation, ...fields }
}

function keptOf({ orderID, acceptedAtMs, traceparent, reservation }: KeyClaim) {
  return { orderID, acceptedAtMs, traceparent, reservation }
}

function replayOf({ orderID, traceparent }: KeyClaim): Placement {
  return { kind: 'placed', orderID, traceparent, isReplay: true }
}

/** Contract test of every key store, in memory and in Postgres. */
export function testKeyStore(title: string, open: (t: TestContext) => Promise<OpenedKeyStore>): void {
  test(`${title}: the first claim gets the key; meanwhile the same order is in flight and another order is refused`, async t => {
    const { store } = await open(t)
    const first = claim()
    assert.deepEqual(await store.claim(first, leaseMs), {
      kind: 'claimed',
      attempt: 1,
      order: keptOf(first),
      needsLookup: false
    })
    const second = await store.claim(claim(), leaseMs)
    assert.ok(second.kind === 'in-flight' && second.retryAfterMs > 0 && second.retryAfterMs <= leaseMs)
    assert.deepEqual(await store.claim(claim({ fingerprint: 'cd' }), leaseMs), { kind: 'key-conflict' })
  })

  test(`${title}: a stored key returns its order and refuses another order`, async t => {
    const { store, age } = await open(t)
    const first = claim()
    await store.claim(first, leaseMs)
    await store.markStored(name)
    await store.markStored(name)
    await age(leaseMs)
    assert.deepEqual(await store.claim(claim(), leaseMs), replayOf(first))
    assert.deepEqual(await store.claim(claim({ fingerprint: 'cd' }), leaseMs), { kind: 'key-conflict' })
  })

  test(`${title}: different callers and keys are independent`, async t => {
    const { store } = await open(t)
    for (const fields of [{}, { caller: 'other' }, { key: 'KEY-1' }, { caller: 'shop key', key: '-1' }])
      assert.equal((await store.claim(claim(fields), leaseMs)).kind, 'claimed')
  })

  test(`${title}: after the lease has ended or was released, the next claim gets the same order and reservation`, async t => {
    const { store, age } = await open(t)
    const first = claim()
    await store.claim(first, leaseMs)
    await age(leaseMs)
    const expected = { kind: 'claimed', order: keptOf(first), needsLookup: false }
    assert.deepEqual(await store.claim(claim(), leaseMs), { ...expected, attempt: 2 })
    assert.equal((await store.claim(claim(), leaseMs)).kind, 'in-flight')
    await store.release(name, 1)
    assert.equal((await store.claim(claim(), leaseMs)).kind, 'in-flight', 'attempt 1 no longer holds the lease')
    await store.release(name, 2)
    assert.deepEqual(await store.claim(claim(), leaseMs), { ...expected, attempt: 3 })
  })

  test(`${title}: a reservation that brokers may have forgotten is replaced, and later attempts must look for the order`, async t => {
    const { store, age } = await open(t)
    const first = claim()
    await store.claim(first, leaseMs)
    await age(reservationTrustMs + 1_000)
    const second = claim()
    const order = { ...keptOf(first), reservation: second.reservation }
    assert.deepEqual(await store.claim(second, leaseMs), { kind: 'claimed', attempt: 2, order, needsLookup: true })
    await age(leaseMs)
    assert.deepEqual(await store.claim(claim(), leaseMs), { kind: 'claimed', attempt: 3, order, needsLookup: true })
  })

  test(`${title}: a key can be forgotten only in its first attempt and before it is stored`, async t => {
    const { store, age } = await open(t)
    await store.claim(claim(), leaseMs)
    await store.forget(name)
    const second = claim({ fingerprint: 'cd' })
    const claimed = await store.claim(second, leaseMs)
    assert.ok(claimed.kind === 'claimed' && claimed.attempt === 1 && claimed.order.orderID === second.orderID)
    await age(leaseMs)
    await store.claim(claim({ fingerprint: 'cd' }), leaseMs)
    await store.forget(name)
    assert.equal((await store.claim(claim({ fingerprint: 'cd' }), leaseMs)).kind, 'in-flight')
    await store.markStored(name)
    await store.forget(name)
    assert.equal((await store.claim(claim({ fingerprint: 'cd' }), leaseMs)).kind, 'placed')
  })

  test(`${title}: exactly one of several concurrent claims gets the key`, async t => {
    const { store } = await open(t)
    const kinds = await Promise.all(Array.from({ length: 20 }, async () => (await store.claim(claim(), leaseMs)).kind))
    assert.deepEqual(kinds.toSorted(), ['claimed', ...Array(19).fill('in-flight')])
    await store.release(name, 1)
    const takers = await Promise.all(Array.from({ length: 20 }, () => store.claim(claim(), leaseMs)))
    assert.deepEqual(
      takers.flatMap(taker => (taker.kind === 'claimed' ? taker.attempt : [])),
      [2]
    )
  })

  test(`${title}: many keys that are claimed concurrently and repeatedly are granted once each, with their own order`, async t => {
    const { store } = await open(t)
    const keys = Array.from({ length: 700 }, (_, index) => `key-${index}`)
    const claims = [...keys, ...keys.toReversed(), ...keys].map(key => claim({ key }))
    const claimed = await Promise.all(claims.map(one => store.claim(one, leaseMs)))
    const had = claims.filter((_, index) => claimed[index]?.kind === 'claimed')
    assert.deepEqual(had.map(({ key }) => key).toSorted(), keys.toSorted())
    for (const [index, result] of claimed.entries()) {
      if (result.kind === 'claimed')
        assert.deepEqual([result.attempt, result.order], [1, keptOf(claims[index] as KeyClaim)])
      else assert.equal(result.kind, 'in-flight')
    }
    await Promise.all(had.slice(1).map(one => store.markStored(one)))
    const again = await Promise.all(had.map(({ key }) => store.claim(claim({ key }), leaseMs)))
    assert.equal(again[0]?.kind, 'in-flight')
    assert.deepEqual(again.slice(1), had.slice(1).map(replayOf))
  })

  test(`${title}: old keys are pruned, at most the limit at a time`, async t => {
    const { store, age } = await open(t)
    for (const key of ['a', 'b', 'c']) await store.claim(claim({ key }), leaseMs)
    await age(leaseMs + 10_000)
    await store.claim(claim({ key: 'd' }), leaseMs)
    assert.equal(await store.prune(20_000, 10), 0)
    assert.equal(await store.prune(10_000, 2), 2)
    assert.equal(await store.prune(10_000, 2), 1)
    assert.equal((await store.claim(claim({ key: 'd' }), leaseMs)).kind, 'in-flight')
  })

  test(`${title}: a key whose order is still retried is not pruned, even if its first claim is old`, async t => {
    const { store, age } = await open(t)
    const first = claim({ key: 'retried' })
    await store.claim(first, leaseMs)
    await store.claim(claim({ key: 'abandoned' }), leaseMs)
    await age(leaseMs + 10_000)
    const retried = await store.claim({ ...claim({ key: 'retried' }), fingerprint: first.fingerprint }, leaseMs)
    assert.deepEqual(retried.kind === 'claimed' && [retried.attempt, retried.order.orderID], [2, first.orderID])
    assert.equal(await store.prune(10_000, 10), 1)
    await store.markStored({ caller: name.caller, key: 'retried' })
    assert.equal(await store.prune(10_000, 10), 0)
    assert.deepEqual(await store.claim(claim({ key: 'retried' }), leaseMs), replayOf(first))
  })

  test(`${title}: a change request gets its key immediately, can be repeated, and shares its keys with orders`, async t => {
    const { store, age } = await open(t)
    const change = { ...name, orderID: 'order-1', change: 'cancel', requestedAtMs: 1, traceparent: 'trace-1' }
    assert.deepEqual([await store.claimChange(change), await store.claimChange(change)], ['first', 'repeated'])
    const others = [
      { ...change, change: 'confirm' },
      { ...change, orderID: 'order-2' }
    ]
    for (const other of others) assert.equal(await store.claimChange(other), 'other-request')
    assert.equal((await store.claim(claim(), leaseMs)).kind, 'key-conflict')
    assert.equal(await store.claimChange({ ...change, caller: 'another shop' }), 'first')
    await store.claim(claim({ key: 'of an order' }), leaseMs)
    assert.equal(await store.claimChange({ ...change, key: 'of an order' }), 'other-request')
    await age(7_200_000)
    assert.equal(await store.prune(3_600_000, 10), 3)
    assert.equal(await store.claimChange({ ...change, change: 'confirm' }), 'first')
  })
}
