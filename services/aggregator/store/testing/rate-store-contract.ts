import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { type WindowPolicy, windowMs } from '../../domain/window.ts'
import type { RateStore } from '../rate-store.ts'
import { histories, simulate } from './simulation.ts'

const policy: WindowPolicy = { graceMs: windowMs, clockSkewMs: 1_000, retentionMs: 10 * windowMs }
const startMs = 1_000 * windowMs
const finalAtMs = startMs + windowMs + policy.graceMs + policy.clockSkewMs

/** Registers the contract tests of a rate store. */
export function testRateStore(
  name: string,
  open: (t: TestContext, policy: WindowPolicy) => Promise<RateStore>,
  { runs = 200 } = {}
): void {
  const order = (partition: number, offset: number, createdAtMs = startMs, writtenAtMs = createdAtMs) => ({
    partition,
    offset,
    createdAtMs,
    writtenAtMs
  })
  const complete = (...times: number[]) => times.map((completeUntilMs, partition) => ({ partition, completeUntilMs }))
  const window = { startMs, late: 0, isFinal: false }

  test(`${name}: each order is counted once in its minute, and every change raises the revision`, async t => {
    const store = await open(t, policy)
    const summary = { inTime: 2, late: 0, unplaced: 0, repeated: 0 }
    assert.deepEqual(await store.count([order(0, 0), order(1, 5)]), summary)
    assert.deepEqual(await store.unpublished(9), [{ ...window, orders: 2, revision: 2 }])
    assert.deepEqual(await store.count([order(0, 0), order(0, 1), order(1, 5)]), { ...summary, inTime: 1, repeated: 2 })
    assert.deepEqual(await store.count([order(0, 0), order(0, 1)]), { ...summary, inTime: 0, repeated: 2 })
    assert.deepEqual(await store.unpublished(9), [{ ...window, orders: 3, revision: 3 }])
  })

  test(`${name}: the same orders give the same revision, in any number of batches`, async t => {
    const orders = [order(0, 0), order(0, 1), order(1, 0)]
    const [atOnce, oneByOne] = [await open(t, policy), await open(t, policy)]
    await atOnce.count(orders)
    for (const each of orders) await oneByOne.count([each])
    assert.deepEqual(await atOnce.unpublished(9), await oneByOne.unpublished(9))
  })

  test(`${name}: orders of a recreated topic are counted although their offsets were counted before`, async t => {
    const store = await open(t, policy)
    const [former, present] = [randomUUID(), randomUUID()]
    await store.count([0, 1, 2].map(offset => ({ ...order(0, offset), topicID: former })))
    assert.equal((await store.count([{ ...order(0, 1), topicID: present }])).inTime, 1)
    assert.equal((await store.count([{ ...order(0, 1), topicID: present }])).repeated, 1)
    assert.equal((await store.count([{ ...order(0, 0), topicID: present }])).inTime, 1)
  })

  test(`${name}: a published window is returned again only after a change`, async t => {
    const store = await open(t, policy)
    await store.count([order(0, 0), order(0, 1, startMs + windowMs)])
    const [first, second] = await store.unpublished(9)
    assert.ok(first && second && first.startMs < second.startMs)
    assert.deepEqual(await store.unpublished(1), [first])
    await store.count([order(0, 2)])
    await store.markPublished([first, second])
    assert.deepEqual(await store.unpublished(9), [{ ...window, orders: 2, revision: 2 }])
    await store.markPublished([{ startMs, revision: 2 }])
    await store.markPublished([first])
    assert.deepEqual(await store.unpublished(9), [])
  })

  test(`${name}: a minute becomes final once every partition is complete beyond its grace period, and then keeps its orders`, async t => {
    const store = await open(t, policy)
    await store.count([order(0, 0), order(0, 1, startMs + windowMs)])
    await store.noteComplete(2, complete(finalAtMs))
    assert.equal(await store.makeFinal(), undefined)
    await store.noteComplete(2, [{ partition: 1, completeUntilMs: finalAtMs - 1 }])
    assert.equal(await store.makeFinal(), finalAtMs - 1)
    assert.ok((await store.unpublished(9)).every(({ isFinal }) => !isFinal))
    await store.noteComplete(2, complete(finalAtMs - 5, finalAtMs))
    assert.equal(await store.makeFinal(), finalAtMs)
    await store.makeFinal()
    const [final, next] = await store.unpublished(9)
    assert.deepEqual(final, { ...window, orders: 1, revision: 2, isFinal: true })
    assert.equal(next?.isFinal, false)
    assert.equal((await store.count([order(1, 0)])).late, 1)
    assert.deepEqual((await store.rates(startMs, startMs)).windows, [
      { startMs, orders: 1, late: 1, revision: 3, isFinal: true }
    ])
  })

  test(`${name}: an order written after the grace period of its minute is late, even if the minute is not final`, async t => {
    const store = await open(t, policy)
    const graceEndMs = startMs + windowMs + policy.graceMs
    const orders = [order(0, 0, startMs, graceEndMs - 1), order(0, 1, startMs, graceEndMs)]
    assert.deepEqual(await store.count(orders), { inTime: 1, late: 1, unplaced: 0, repeated: 0 })
    assert.deepEqual(await store.unpublished(9), [{ ...window, orders: 1, late: 1, revision: 2 }])
  })

  test(`${name}: a published final minute is removed after its retention and never created again`, async t => {
    const store = await open(t, policy)
    await store.count([order(0, 0)])
    await store.noteComplete(1, complete(finalAtMs + policy.retentionMs + windowMs))
    await store.makeFinal()
    assert.equal((await store.unpublished(9)).length, 1)
    await store.markPublished([{ startMs, revision: 2 }])
    await store.makeFinal()
    assert.deepEqual((await store.rates(0, startMs)).windows, [])
    assert.deepEqual(await store.count([order(0, 1)]), { inTime: 0, late: 0, unplaced: 1, repeated: 0 })
    assert.equal((await store.count([order(0, 1)])).repeated, 1)
    assert.deepEqual(await store.unpublished(9), [])
  })

  test(`${name}: rates returns the requested minutes and the time until which everything is counted`, async t => {
    const store = await open(t, policy)
    assert.deepEqual(await store.rates(0, startMs), { completeUntilMs: undefined, windows: [] })
    await store.count([0, 1, 2, 3].map(index => order(0, index, startMs + index * windowMs)))
    await store.noteComplete(2, complete(5_000, 4_000))
    const { completeUntilMs, windows } = await store.rates(startMs + windowMs, startMs + 2 * windowMs)
    assert.equal(completeUntilMs, 4_000)
    assert.deepEqual(
      windows.map(window => window.startMs),
      [startMs + windowMs, startMs + 2 * windowMs]
    )
  })

  test(`${name}: with repeated reads, crashes and publications, the last record of a minute is final and counts all orders written in time`, async t => {
    await fc.assert(
      fc.asyncProperty(histories, async steps => simulate(await open(t, policy), policy, steps)),
      { numRuns: runs }
    )
  })
}
