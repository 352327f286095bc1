import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, test } from 'node:test'
import type { PositionAdvance } from '@orderly/kafka'
import { testPositionStoreContract } from '@orderly/kafka/testing'
import { integrationEnvironment } from '@orderly/launcher/testing'
import { createPool, runStatement } from '@orderly/postgres'
import { acknowledgeIncidents, openIncidents, storedPositions } from './operate.ts'
import { createPostgresPositions } from './postgres-positions.ts'

/** Schemas with the tables of positions and incidents. */
const schemas = ['inventory', 'notification', 'aggregator', 'orders']

const databases = new Map(
  await Promise.all(
    schemas.map(async schema => {
      const pool = createPool({
        url: await integrationEnvironment().databaseURL(),
        maxConnections: 3,
        applicationName: 'test',
        statementTimeoutMs: 10_000,
        sessionSettings: { enable_seqscan: 'off' }
      })
      return [schema, pool] as const
    })
  )
)
test.after(() => Promise.all([...databases.values()].map(pool => pool.end())))

function open(schema: string, groupID = `group-${randomUUID()}`) {
  const pool = databases.get(schema)
  assert.ok(pool)
  const store = createPostgresPositions(pool, { schema, groupID, whenBehind: 'stop' })
  return { pool, store, groupID }
}

for (const schema of schemas) {
  testPositionStoreContract(`the schema ${schema} of Postgres`, async () => {
    const { pool, store, groupID } = open(schema)
    return {
      store,
      async incidents() {
        const own = (await openIncidents(pool, schema)).filter(incident => incident.groupID === groupID)
        return own.map(({ kind, topic, partition, topicID, fromOffset, toOffset, detail }) => ({
          ...{ kind, topic, partition },
          ...(topicID !== null && { topicID }),
          ...(fromOffset !== null && { fromOffset: BigInt(fromOffset) }),
          ...(toOffset !== null && { toOffset: BigInt(toOffset) }),
          ...(detail !== null && { detail })
        }))
      }
    }
  })
}

describe('positions in Postgres', () => {
  const topicID = randomUUID()
  const first = { topic: 'orders', partition: 0, topicID, offset: 10n, leaderEpoch: 0, committedOffset: undefined }
  const advance = (from: bigint, to: bigint, committedOffset: bigint): PositionAdvance => ({
    ...{ topic: 'orders', partition: 0, topicID, from, to, leaderEpoch: 0, committedOffset }
  })

  test('uncommitted_since is the time of the first unconfirmed save, and null once all records are committed', async () => {
    const { pool, store, groupID } = open('inventory')
    const since = async () =>
      (await storedPositions(pool, 'inventory')).find(own => own.groupID === groupID)?.uncommittedSince
    await store.replace([{ former: undefined, position: first }], [])
    assert.equal(await since(), null)
    await store.advance([advance(10n, 15n, 10n)])
    const firstSave = await since()
    assert.ok(firstSave)
    await store.advance([advance(15n, 20n, 10n)])
    assert.deepEqual(await since(), firstSave)
    await store.advance([advance(20n, 25n, 20n)])
    assert.ok(((await since()) as Date) > firstSave)
    await store.advance([advance(25n, 25n, 25n)])
    assert.equal(await since(), null)
  })

  test('concurrent saves of a partition by two instances are serialized and never move a position back', async () => {
    const { pool, store } = open('inventory')
    await store.replace([{ former: undefined, position: first }], [])
    const client = await pool.connect()
    await client.query('BEGIN')
    await runStatement(client, store.saving([advance(10n, 40n, 10n)]))
    let isDone = false
    const other = store.advance([advance(10n, 20n, 10n)]).then(() => {
      isDone = true
    })
    await waitForLock(pool)
    assert.equal(isDone, false)
    await client.query('COMMIT')
    client.release()
    await other
    assert.equal((await store.load())[0]?.offset, 40n)
  })

  test('an incident is acknowledged once, with a name, and can be recorded again afterwards', async () => {
    const { pool, store, groupID } = open('orders')
    const incident = { kind: 'log_truncated', topic: 'orders', partition: 0, topicID } as const
    await store.replace([], [incident])
    const own = async () => (await openIncidents(pool, 'orders')).filter(found => found.groupID === groupID)
    const ids = (await own()).map(({ id }) => id)
    const [done] = await acknowledgeIncidents(pool, 'orders', { ids, by: 'ada' })
    assert.equal(done?.acknowledgedBy, 'ada')
    assert.deepEqual(await acknowledgeIncidents(pool, 'orders', { ids, by: 'bob' }), [])
    assert.deepEqual(await own(), [])
    await store.replace([], [incident])
    assert.equal((await own()).length, 1)
    const all = await openIncidents(pool, 'orders', { withAcknowledged: true })
    assert.equal(all.filter(found => found.groupID === groupID).length, 2)
  })
})

async function waitForLock(pool: ReturnType<typeof createPool>): Promise<void> {
  for (;;) {
    const { rows } = await pool.query(
      "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'UPDATE%positions%'"
    )
    if (rows.length > 0) return
  }
}
