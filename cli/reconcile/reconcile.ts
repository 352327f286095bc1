import { setTimeout as delay } from 'node:timers/promises'
import { plural } from '@orderly/command-line'
import { connectTopics, topicNames } from '@orderly/contracts'
import { partitionKey } from '@orderly/kafka'
import { createPool, type PoolSettings } from '@orderly/postgres'
import type { PoolClient } from 'pg'
import { type Command, type CommandContext, Failure, orderly } from '../command-line/command.ts'
import { type PositionGroup, positionGroups } from '../positions/groups.ts'
import { correctStock, type InputRange, type Rebuilt, rebuild } from './rebuild.ts'
import { isUnresolved, printReport, type Report } from './report.ts'
import * as statements from './statements.ts'

const [inventoryGroup] = positionGroups.filter(({ service }) => service === 'inventory') as [PositionGroup]
const { groupID: group, inputs: inputTopics } = inventoryGroup
const outputTopics: readonly string[] = [
  topicNames.inventoryReserved,
  topicNames.inventoryFailed,
  topicNames.inventoryConfirmed,
  topicNames.inventoryReleased,
  topicNames.stockMovements
]

/** Time limit of the session. A rebuild reads whole topics and sums whole tables. */
const longMs = 6 * 3_600_000
const session: Pick<
  PoolSettings,
  'maxConnections' | 'applicationName' | 'statementTimeoutMs' | 'idleInTransactionTimeoutMs'
> = {
  maxConnections: 1,
  applicationName: 'orderly-reconcile',
  statementTimeoutMs: longMs,
  idleInTransactionTimeoutMs: longMs
}

export const reconcile: Command = {
  name: 'reconcile',
  summary:
    'rebuild the inventory from its topics after Postgres was restored to an earlier state: prints the plan; --apply executes it',
  examples: ['reconcile', 'reconcile --apply'],
  options: { apply: { type: 'boolean', description: 'insert missing rows; without it nothing is changed' } },
  async run(context) {
    const { options, output, connections } = context
    const isApplied = options.flag('apply')
    const pool = createPool({ ...session, url: connections.ownerDatabaseURL() })
    const client = await pool.connect().catch(async error => {
      await pool.end()
      throw error
    })
    try {
      await takeLock(client)
      await refuseWhileRunning(context, client)
      const report = await run(context, client, isApplied)
      output.json(report)
      printReport(output, report)
      if (!isApplied && Object.values(report.added).some(count => count > 0))
        output.line(`Nothing was changed. To insert what is missing: ${orderly} reconcile --apply`)
      return isUnresolved(report) ? 1 : 0
    } finally {
      client.release(true)
      await pool.end()
    }
  }
}

/**
 * Runs a rebuild. With `--apply`, each chunk is committed immediately, and stock and positions are
 * committed at the end. After an interruption the old positions keep the inventory from starting,
 * and the next rebuild continues. Without `--apply`, everything runs in one transaction that is
 * rolled back.
 */
async function run(context: CommandContext, client: PoolClient, isApplied: boolean): Promise<Report> {
  const { connections, signal, output } = context
  const topics = await connectTopics(connections.registry(), {
    ordersCreated: 'read',
    ordersChanges: 'read',
    inventoryReserved: 'read',
    inventoryFailed: 'read',
    inventoryConfirmed: 'read',
    inventoryReleased: 'read',
    stockMovements: 'read'
  })
  await untilStable(context)
  const inputs = await inputRanges(context, client)
  const restoredToMs = (await client.query(statements.newestTime)).rows[0]?.newest?.getTime()
  const options = { client, connection: connections.kafka(), topics, inputs, signal, progress: output.progress }

  if (!isApplied) await client.query('BEGIN')
  try {
    const rebuilt = await rebuild(options)
    if (isApplied) {
      await refuseWhileRunning(context, client)
      await client.query('BEGIN')
    }
    const { stock, short } = await correctStock(client)
    await storePositions(client, inputs)
    const keys = await keysAfter(client, restoredToMs, rebuilt)
    await client.query(isApplied ? 'COMMIT' : 'ROLLBACK')
    const { callers: _, ...facts } = rebuilt
    return { isApplied, restoredToMs, ...facts, stock, lost: { ...rebuilt.lost, movements: short }, keys }
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {})
    throw error
  }
}

async function takeLock(client: PoolClient): Promise<void> {
  const { rows } = await client.query("SELECT pg_try_advisory_lock(hashtextextended('orderly reconcile', 0)) AS locked")
  if (rows[0]?.locked !== true) throw new Failure('Another reconcile is running: wait for it.')
}

/**
 * Checks that no inventory runs.
 * @throws Failure if one is in the group or connected to the database
 */
async function refuseWhileRunning({ connections }: CommandContext, client: PoolClient): Promise<void> {
  const { members } = await connections.inspector().group(group)
  const { rows } = await client.query(
    "SELECT count(*) AS count FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'inventory-%'"
  )
  if (members.length === 0 && rows[0].count === 0) return
  throw new Failure(
    `The inventory is running (${plural(members.length, 'member')} of ${group}, ${plural(rows[0].count, 'connection')} to the database): stop all of its instances, then try again.`
  )
}

/**
 * Waits until no transaction is open.
 * @throws Failure if one stays open, because its records cannot be read yet
 */
async function untilStable({ connections, signal, output }: CommandContext): Promise<void> {
  const inspector = connections.inspector()
  const described = await inspector.topics(outputTopics)
  const partitions = described.flatMap(({ name, partitions }) =>
    partitions.map(({ partition }) => ({ topic: name, partition }))
  )
  for (let waits = 0; ; waits++) {
    const [stable, ends] = [
      await inspector.offsets(partitions, 'stable-end'),
      await inspector.offsets(partitions, 'end')
    ]
    // Both lists have the order of `partitions`. A partition that has disappeared has no open
    // transaction.
    const open = partitions.filter((_, index) => stable[index]?.offset !== ends[index]?.offset)
    if (open.length === 0) return
    if (waits === 0) output.progress('Waiting for a transaction of the inventory to end.')
    if (waits === 120) {
      const names = open.map(partitionKey).join(', ')
      throw new Failure(`A transaction in ${names} does not end: ${orderly} doctor shows it and how to end it.`)
    }
    await delay(1_000, undefined, { signal })
  }
}

async function inputRanges({ connections }: CommandContext, client: PoolClient): Promise<InputRange[]> {
  const committed = await connections.inspector().committedOffsets(group)
  const { rows } = await client.query(
    'SELECT topic, partition, topic_id, next_offset FROM inventory.positions WHERE group_id = $1',
    [group]
  )
  return committed
    .filter(({ topic }) => inputTopics.includes(topic))
    .map(({ topic, partition, topicID, leaderEpoch, offset }) => {
      const stored = rows.find(row => row.topic === topic && row.partition === partition && row.topic_id === topicID)
      const restored = stored === undefined ? undefined : BigInt(stored.next_offset)
      return { topic, partition, topicID, leaderEpoch, restored, committed: offset }
    })
}

/**
 * Stores the committed offsets as positions, because the tables now contain everything that is
 * committed. Offsets that a tool has committed have no topic id, and get no position.
 */
async function storePositions(client: PoolClient, inputs: readonly InputRange[]): Promise<void> {
  for (const { topic, partition, topicID, leaderEpoch, committed } of inputs) {
    if (topicID === undefined) continue
    await client.query(
      `INSERT INTO inventory.positions (group_id, topic, partition, topic_id, next_offset, leader_epoch, committed_offset)
        VALUES ($1, $2, $3, $4, $5, $6, $5)
        ON CONFLICT (group_id, topic, partition) DO UPDATE SET
          topic_id = excluded.topic_id, next_offset = excluded.next_offset, leader_epoch = excluded.leader_epoch,
          committed_offset = excluded.committed_offset, uncommitted_since = NULL, updated_at = now()
        WHERE positions.topic_id <> excluded.topic_id OR positions.next_offset < excluded.next_offset`,
      [group, topic, partition, topicID, String(committed), leaderEpoch]
    )
  }
}

async function keysAfter(
  client: PoolClient,
  restoredToMs: number | undefined,
  { callers }: Rebuilt
): Promise<Report['keys']> {
  const { rows: present } = await client.query("SELECT to_regclass('callers.api_keys') IS NOT NULL AS present")
  if (present[0]?.present !== true) return { changed: [], callersWithoutKey: [], valid: [] }
  const { rows } = await client.query(statements.keysOf)
  const isAfter = (at: Date | null) => at !== null && restoredToMs !== undefined && at.getTime() > restoredToMs
  const changed = rows.flatMap(({ id, name, created_at, revoked_at }) => [
    ...(isAfter(created_at) ? [{ id, name, what: 'created', atMs: created_at.getTime() }] : []),
    ...(isAfter(revoked_at) ? [{ id, name, what: 'revoked', atMs: revoked_at.getTime() }] : [])
  ])
  const valid = rows.filter(({ isValid }) => isValid).map(({ id, name }) => ({ id, name }))
  const known = new Set(valid.map(({ name }) => name))
  return { changed, callersWithoutKey: callers.filter(name => !known.has(name)).sort(), valid }
}
