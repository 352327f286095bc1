import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, type TestContext, test } from 'node:test'
import type { Incident, PositionAdvance, PositionStore, StoredPosition } from '../stage/position-store.ts'

/** Store that the contract test examines. */
export interface StoreUnderTest {
  readonly store: PositionStore
  /** Returns the recorded incidents that are not acknowledged. */
  incidents(): Promise<readonly Incident[]>
}

/**
 * Tests the guarantees of a PositionStore to a stage; run against the in-memory store and against
 * Postgres.
 */
export function testPositionStoreContract(storeName: string, open: (t: TestContext) => Promise<StoreUnderTest>): void {
  const topicID = randomUUID()
  const position = (partition: number, more: Partial<StoredPosition> = {}): StoredPosition => ({
    ...{ topic: 'orders', partition, topicID, offset: 10n, leaderEpoch: 1, committedOffset: undefined },
    ...more
  })
  const advance = (partition: number, from: bigint, to: bigint, more: Partial<PositionAdvance> = {}) => ({
    ...{ topic: 'orders', partition, topicID, from, to, leaderEpoch: 2, committedOffset: from },
    ...more
  })
  const setUp = async (t: TestContext) => {
    const { store, incidents } = await open(t)
    const stored = async () =>
      new Map((await store.load()).map(({ topic, partition, ...own }) => [`${topic}/${partition}`, own]))
    const begin = (...positions: StoredPosition[]) =>
      store.replace(
        positions.map(position => ({ former: undefined, position })),
        []
      )
    return { store, incidents, stored, begin }
  }

  describe(`the positions in ${storeName}`, () => {
    test('an advance moves a position forward and stores the committed offset', async t => {
      const { store, stored, begin } = await setUp(t)
      assert.deepEqual(await store.load(), [])
      await begin(position(0), position(1))
      await store.advance([advance(0, 10n, 15n), advance(1, 10n, 11n)])
      await store.advance([advance(0, 15n, 20n, { leaderEpoch: 3, committedOffset: 12n })])
      assert.deepEqual((await stored()).get('orders/0'), {
        ...{ topicID, offset: 20n, leaderEpoch: 3, committedOffset: 12n }
      })
      assert.equal((await stored()).get('orders/1')?.offset, 11n)
    })

    test('an advance that ends before the stored position leaves it unchanged and is not a conflict', async t => {
      const { store, stored, begin } = await setUp(t)
      await begin(position(0, { offset: 30n, committedOffset: 25n }))
      await store.advance([advance(0, 10n, 15n)])
      await store.advance([advance(0, 30n, 30n, { committedOffset: 30n })])
      assert.deepEqual((await stored()).get('orders/0'), {
        ...{ topicID, offset: 30n, leaderEpoch: 1, committedOffset: 30n }
      })
    })

    test('an advance that starts after the stored position, or has another topic id, is a conflict and saves nothing', async t => {
      const { store, stored, begin } = await setUp(t)
      await begin(position(0), position(1))
      const before = await stored()
      const conflict = { code: 'POSITION_CONFLICT', retryable: true }
      await assert.rejects(store.advance([advance(0, 10n, 15n), advance(1, 11n, 15n)]), conflict)
      await assert.rejects(store.advance([advance(0, 10n, 15n, { topicID: randomUUID() })]), conflict)
      await assert.rejects(store.advance([advance(7, 0n, 1n)]), conflict)
      assert.deepEqual(await stored(), before)
    })

    test('a position is replaced only if the former one is unchanged', async t => {
      const { store, stored, begin } = await setUp(t)
      await begin(position(0))
      const [former] = await store.load()
      const next = position(0, { topicID: randomUUID(), offset: 0n, leaderEpoch: -1 })
      await store.replace([{ former, position: next }], [])
      assert.equal((await stored()).get('orders/0')?.topicID, next.topicID)
      const conflict = { code: 'POSITION_CONFLICT', retryable: true }
      await assert.rejects(store.replace([{ former, position: position(0) }], []), conflict)
      await assert.rejects(begin(position(1), position(0)), conflict)
      assert.deepEqual([...(await stored()).keys()], ['orders/0'])
    })

    test('an incident is recorded once until it is acknowledged', async t => {
      const { store, incidents } = await setUp(t)
      const incident: Incident = {
        ...{ kind: 'database_behind', topic: 'orders', partition: 0, topicID },
        ...{ fromOffset: 3n, toOffset: 9n }
      }
      const other: Incident = { kind: 'topic_recreated', topic: 'orders', partition: 1, topicID, detail: 'it was x' }
      await store.replace([], [incident])
      await store.replace([], [incident, other])
      assert.deepEqual(await incidents(), [incident, other])
    })
  })
}
