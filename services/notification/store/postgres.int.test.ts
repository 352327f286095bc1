import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { inTransaction, isTransientFailure } from '@orderly/postgres'
import { accepted, notification, ofAll } from '../testing/notifications.ts'
import type { Claim, DeliveryStore } from './delivery-store.ts'
import { createPostgresDeliveryStore } from './postgres.ts'
import { testDeliveryStore } from './testing/delivery-store-contract.ts'
import { createNotificationDatabase, emptyDeliveryStore } from './testing/notification-database.ts'

const database = await createNotificationDatabase({ after })
const pool = database.open()

testDeliveryStore(
  'delivery table in Postgres',
  async (_t, nowMs) => {
    await emptyDeliveryStore(pool)
    return createPostgresDeliveryStore(pool, { nowMs })
  },
  { runs: 25 }
)

const options = { instanceID: 'one', maxLanes: 50, maxPerLane: 10, leaseMs: 60_000 }

function sentAndFreed({ deliveries }: Claim): Parameters<DeliveryStore['saveResults']> {
  return [
    deliveries.map(delivery => ({ delivery, result: { status: 'sent' as const, attempts: 1 } })),
    deliveries.map(({ target, notification, claim }) => ({
      ...{ target, userID: notification.userID, claim },
      retryInMs: 0
    }))
  ]
}

test('without a test clock, the delivery table uses the time of the database', async () => {
  await emptyDeliveryStore(pool)
  const deliveryStore = createPostgresDeliveryStore(pool)
  await deliveryStore.accept(accepted(notification()), ofAll('console'))
  const { deliveries } = await deliveryStore.claim('console', options)
  assert.equal(deliveries.length, 1)
  assert.ok((deliveries[0]?.ageMs ?? -1) >= 0)
  assert.deepEqual((await deliveryStore.claim('console', options)).deliveries, [])
})

test('concurrent instances that accept, claim and deliver the same events claim no delivery twice', async () => {
  await emptyDeliveryStore(pool)
  const given = Array.from({ length: 600 }, (_, index) => notification({ userID: `user-${index % 41}` }))
  const deliveryStores = [1, 2, 3].map(() => createPostgresDeliveryStore(database.open()))
  const taken: string[] = []
  const shares = await Promise.all(
    deliveryStores.map(async (deliveryStore, instance) => {
      let share = 0
      const shifted = [...given.slice(instance * 200), ...given.slice(0, instance * 200)]
      for (let start = 0; start < shifted.length; start += 50) {
        await deliveryStore.accept(accepted(...shifted.slice(start, start + 50)), ofAll('console'))
        const claim = await deliveryStore.claim('console', { ...options, instanceID: String(instance), maxLanes: 5 })
        taken.push(...claim.deliveries.map(({ notification }) => notification.id))
        share += claim.deliveries.length
        await deliveryStore.saveResults(...sentAndFreed(claim))
      }
      while ((await deliveryStore.backlog()).length > 0) {
        const claim = await deliveryStore.claim('console', { ...options, instanceID: String(instance), maxLanes: 5 })
        taken.push(...claim.deliveries.map(({ notification }) => notification.id))
        share += claim.deliveries.length
        await deliveryStore.saveResults(...sentAndFreed(claim))
      }
      return share
    })
  )
  assert.deepEqual(taken.toSorted(), given.map(({ id }) => id).sort())
  assert.ok(shares.every(share => share > 0))
  const { rows } = await pool.query('SELECT count(*) AS lanes FROM notification.lanes')
  assert.equal(rows[0].lanes, 0)
})

const pasts = {
  'on empty tables': undefined,
  'on a table whose statistics show a small backlog': 'VACUUM ANALYZE',
  'on a table that had only dead rows when it was analyzed': 'ANALYZE'
}
for (const [past, upkeep] of Object.entries(pasts)) {
  test(`with plans made ${past}, the cost of a claim and its settling does not grow with the backlog`, async () => {
    await emptyDeliveryStore(pool)
    const own = database.open({ maxConnections: 1 })
    const deliveryStore = createPostgresDeliveryStore(own)
    const few = { ...options, maxLanes: 10 }
    async function accept(count: number): Promise<void> {
      const given = Array.from({ length: count }, (_, index) => notification({ userID: `user-${index}` }))
      await deliveryStore.accept(accepted(...given), ofAll('console'))
    }
    async function sendAll(maxLanes: number): Promise<void> {
      for (;;) {
        const claim = await deliveryStore.claim('console', { ...options, maxLanes })
        if (claim.deliveries.length === 0) return
        await deliveryStore.saveResults(...sentAndFreed(claim))
      }
    }
    /**
     * Returns how many index entries the session under test has read. Other sessions see them after
     * it has reported its statistics.
     */
    async function entriesRead(): Promise<Map<string, number>> {
      await own.query('SELECT pg_stat_force_next_flush()')
      const { rows } = await pool.query(`SELECT indexrelname AS index, idx_tup_read AS entries FROM pg_stat_user_indexes
        WHERE schemaname = 'notification'`)
      return new Map(rows.map(({ index, entries }) => [index, Number(entries)]))
    }
    if (upkeep !== undefined) {
      await accept(5_000)
      await sendAll(1_000)
      for (const table of ['deliveries', 'lanes']) await pool.query(`${upkeep} notification.${table}`)
    }
    // From the sixth execution on, Postgres may keep a generic plan.
    for (let times = 0; times < 10; times++) {
      await accept(2)
      await sendAll(10)
    }
    await accept(5_000)
    const before = await entriesRead()
    const claim = await deliveryStore.claim('console', few)
    await deliveryStore.saveResults(...sentAndFreed(claim))
    assert.equal(claim.deliveries.length, 10)
    for (const [index, entries] of await entriesRead()) {
      const read = entries - (before.get(index) ?? 0)
      assert.ok(read <= 500, `${read} entries of ${index} were read`)
    }
  })
}

test('a delivery that is accepted while its delivery lane is released is not lost', async () => {
  await emptyDeliveryStore(pool)
  const deliveryStore = createPostgresDeliveryStore(pool)
  const [first, second] = [notification({ userID: 'ada' }), notification({ userID: 'ada' })]
  await deliveryStore.accept(accepted(first), ofAll('console'))
  const claim = await deliveryStore.claim('console', options)
  // Releasing the lane waits for this transaction, which has locked the lane and adds a delivery to
  // it.
  const observer = database.open()
  const settling = await inTransaction(database.open(), async client => {
    await client.query('SELECT FROM notification.lanes FOR UPDATE')
    const settling = deliveryStore.saveResults(...sentAndFreed(claim))
    const waiting = `SELECT count(*) AS count FROM pg_stat_activity
      WHERE datname = current_database() AND wait_event_type = 'Lock'`
    while ((await observer.query(waiting)).rows[0].count === 0);
    await client.query(
      `INSERT INTO notification.deliveries (event_id, target, user_id, content, traceparent, accepted_at)
        VALUES ($1, 'console', 'ada', $2, '', now())`,
      [second.id, JSON.stringify(second)]
    )
    return { settling }
  })
  await settling.settling
  const { deliveries } = await deliveryStore.claim('console', options)
  assert.deepEqual(
    deliveries.map(({ notification }) => notification.id),
    [second.id]
  )
})

test('deliveries that were made due manually are found', async () => {
  await emptyDeliveryStore(pool)
  const deliveryStore = createPostgresDeliveryStore(pool)
  const given = notification()
  await deliveryStore.accept(accepted(given), ofAll('console'))
  await deliveryStore.saveResults(...sentAndFreed(await deliveryStore.claim('console', options)))
  await pool.query(
    "UPDATE notification.deliveries SET status = 'due', attempts = 0, accepted_at = now(), finished_at = NULL"
  )
  assert.deepEqual((await deliveryStore.claim('console', options)).deliveries, [])
  assert.equal(await deliveryStore.repairLanes(), 1)
  assert.equal((await deliveryStore.claim('console', options)).deliveries.length, 1)
})

test('a notification that Postgres cannot store is rejected permanently, and nothing of its batch is stored', async () => {
  await emptyDeliveryStore(pool)
  const deliveryStore = createPostgresDeliveryStore(pool)
  const batch = accepted(notification(), notification({ userID: 'a\0b' }))
  await assert.rejects(deliveryStore.accept(batch, ofAll('console')), error => !isTransientFailure(error))
  assert.deepEqual(await deliveryStore.backlog(), [])
})

test('statements prepared on empty tables do not scan the tables sequentially after they have grown', async () => {
  await emptyDeliveryStore(pool)
  const single = database.open({ maxConnections: 1 })
  const deliveryStore = createPostgresDeliveryStore(single)
  for (let index = 0; index < 20; index++) {
    await deliveryStore.accept(accepted(notification()), ofAll('console'))
    await deliveryStore.saveResults(...sentAndFreed(await deliveryStore.claim('console', options)))
    await deliveryStore.dueTargets()
  }
  const id = "'00000000-0000-0000-0000-000000000000'"
  const statements = [
    `"claim-lanes" ('console', ${id}, 'one', 50, 1000, 0, NULL)`,
    '"due-targets" (NULL)',
    `"claim-deliveries" (${id}, 10, NULL)`,
    `"drop-empty-lanes" (${id})`,
    `"lock-lanes" ('{console}', '{berlin}', '{ada}')`,
    `"save-results" ('{a}', '{console}', '{${id.slice(1, -1)}}', '{sent}', '{1}', '{NULL}', '{NULL}', NULL)`,
    `"free-lanes" ('{console}', '{berlin}', '{ada}', '{${id.slice(1, -1)}}', '{0}', NULL)`
  ]
  for (const statement of statements) {
    const { rows } = await single.query(`EXPLAIN EXECUTE ${statement}`)
    const plan = rows.map(row => row['QUERY PLAN']).join('\n')
    assert.doesNotMatch(plan, /Seq Scan/, `${statement}\n${plan}`)
  }
})
