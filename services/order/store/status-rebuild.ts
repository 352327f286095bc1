import type { Pool, PoolClient } from 'pg'
import { runOn } from './database.ts'
import { allColumns, type Fact, facts } from './order-columns.ts'
import type { OrderStore } from './order-store.ts'
import { createOrderStore } from './orders.ts'

/**
 * A rebuild of the order status table from the topics, while services read and write the table.
 *
 * The records of the topics are collected in a temporary table, which is then merged into
 * `orders.orders`, separately for each fact (acceptance, outcome, confirmation, release). A fact
 * that the topics still contain replaces the stored one. Other stored facts stay, so a merge
 * deletes nothing and keeps the facts that a projection adds during the rebuild.
 *
 * One rebuild runs at a time: its database session holds an advisory lock and the temporary table,
 * and both end with the session.
 */
export interface StatusRebuild {
  readonly store: Pick<OrderStore, 'apply'>
  /**
   * Corrects wrong facts and adds missing ones, in small transactions.
   * @returns the number of rows written
   */
  merge(onProgress: (progress: { readonly merged: number; readonly written: number }) => void): Promise<number>
  /** Counts the stored orders without a record in the topics. */
  countKept(partitions: readonly ReadRange[], unreadable: readonly SourcePosition[]): Promise<KeptOrders[]>
  close(): void
}

/** The topic that a record was read from. Outcomes have two topics. */
export type Source = 'reserved' | 'failed' | Exclude<Fact['of'], 'decided'>

export interface SourcePosition {
  readonly source: Source
  readonly partition: number
  readonly offset: number
}

/** The offsets of a partition that the rebuild has read: from `offset` to before `end`. */
export interface ReadRange extends SourcePosition {
  readonly end: number
  readonly topicID: string | undefined
}

/**
 * - **of a deleted topic**: its records were read from a topic that was deleted and created again
 *   since.
 * - **newer**: its records were written after the rebuild had read the topics.
 * - **removed by retention**: its records precede the beginning of their partition.
 * - **unreadable**: its record could not be decoded.
 * - **without a record**: the topics were read at its positions, and hold no record of it.
 */
export type KeptReason = 'of a deleted topic' | 'newer' | 'removed by retention' | 'unreadable' | 'without a record'

export interface KeptOrders {
  readonly reason: KeptReason
  readonly orders: number
  /** Ids of up to ten of these orders. */
  readonly examples: readonly string[]
}

export class RebuildRunningError extends Error {
  constructor() {
    super('Another rebuild of the order status is running in this database: wait for it to end, then run this again.')
    this.name = 'RebuildRunningError'
  }
}

/** Result of merging a chunk: its last order id, and its numbers of rows. */
interface ChunkRow {
  readonly last: string | null
  readonly rows: number
  readonly written: number
}

const table = 'pg_temp.orders_rebuilt'
const rowsInAChunk = 5_000

/** Opens a rebuild. @throws RebuildRunningError if another one is running */
export async function openStatusRebuild(pool: Pool): Promise<StatusRebuild> {
  const client = await pool.connect()
  try {
    const { rows } = await client.query<{ is_ours: boolean }>(
      "SELECT pg_try_advisory_lock(hashtext('orders.orders rebuild')) AS is_ours"
    )
    if (!rows[0]?.is_ours) throw new RebuildRunningError()
    await client.query(`CREATE TEMPORARY TABLE orders_rebuilt (LIKE orders.orders INCLUDING ALL)`)
  } catch (error) {
    client.release(true)
    throw error
  }
  return {
    store: createOrderStore(runOn(client), table),
    merge: onProgress => merge(client, onProgress),
    countKept: (partitions, unreadable) => countKept(client, partitions, unreadable),
    close: () => client.release(true)
  }
}

async function merge(client: PoolClient, onProgress: Parameters<StatusRebuild['merge']>[0]): Promise<number> {
  await client.query(`ANALYZE ${table}`)
  let merged = 0
  let written = 0
  for (let last = ''; ; ) {
    const { rows } = await client.query<ChunkRow>(mergeChunk, [last, rowsInAChunk])
    const [chunk] = rows
    if (chunk === undefined || chunk.last === null) return written
    last = chunk.last
    merged += chunk.rows
    written += chunk.written
    onProgress({ merged, written })
  }
}

const columns = allColumns.split(', ')

/**
 * Returns the condition for using the rebuilt columns: the topics have the fact, or the stored row
 * lacks it.
 */
const isRebuilt = ({ marker }: Fact, rebuilt: string, stored: string) =>
  `(${rebuilt}.${marker} IS NOT NULL OR ${stored}.${marker} IS NULL)`

const differences = facts.map(fact => {
  const values = (row: string) => `(${fact.columns.map(({ name }) => `${row}.${name}`).join(', ')})`
  return `(${isRebuilt(fact, 'chunk', 'stored')} AND ${values('chunk')} IS DISTINCT FROM ${values('stored')})`
})

const assignments = facts.flatMap(fact =>
  fact.columns.map(
    ({ name }) =>
      `${name} = CASE WHEN ${isRebuilt(fact, 'excluded', 'known')} THEN excluded.${name} ELSE known.${name} END`
  )
)

const mergeChunk = `WITH chunk AS (
    SELECT * FROM ${table} WHERE order_id > $1 ORDER BY order_id LIMIT $2
  ), written AS (
    INSERT INTO orders.orders AS known (${allColumns})
    SELECT ${columns.map(name => `chunk.${name}`).join(', ')} FROM chunk LEFT JOIN orders.orders AS stored USING (order_id)
    WHERE stored.order_id IS NULL OR chunk.user_id <> stored.user_id OR ${differences.join(' OR ')}
    ON CONFLICT (order_id) DO UPDATE SET user_id = excluded.user_id, ${assignments.join(', ')}
    RETURNING 1
  )
  SELECT max(order_id) AS last, count(*)::integer AS rows, (SELECT count(*) FROM written)::integer AS written FROM chunk`

async function countKept(
  client: PoolClient,
  partitions: readonly ReadRange[],
  unreadable: readonly SourcePosition[]
): Promise<KeptOrders[]> {
  // A topic without records has no number yet. Its id is known from its range.
  await client.query('INSERT INTO orders.topics (topic_id) SELECT DISTINCT unnest($1::uuid[]) ON CONFLICT DO NOTHING', [
    partitions.flatMap(({ topicID }) => topicID ?? [])
  ])
  const { rows } = await client.query<KeptOrders>(keptOrders, [
    JSON.stringify(
      partitions.map(({ source, partition, topicID, offset, end }) => ({
        ...{ source, partition, topic_id: topicID, beginning: offset, ending: end }
      }))
    ),
    JSON.stringify(unreadable.map(({ source, partition, offset }) => ({ source, partition, beginning: offset })))
  ])
  return rows
}

/**
 * Returns a condition: a position of the stored order satisfies `condition` for a read range or
 * unreadable record.
 */
function hasPosition(range: 'partitions' | 'unreadable', condition: (offset: string) => string): string {
  const positions = facts.map(({ of, partition, offset }) => {
    // Each kind of outcome has a separate topic.
    const source = of === 'decided' ? 'stored.outcome' : `'${of}'`
    return `(range.source = ${source} AND range.partition = stored.${partition} AND ${condition(`stored.${offset}`)})`
  })
  return `EXISTS (SELECT FROM ${range} AS range WHERE ${positions.join(' OR ')})`
}

/** Condition: a fact of the stored order was read from an earlier topic of the same name. */
const isOfDeletedTopic = `EXISTS (SELECT FROM partitions AS range WHERE ${facts
  .map(({ of, topic }) => {
    const source = of === 'decided' ? 'stored.outcome' : `'${of}'`
    return `(range.source = ${source} AND range.topic <> stored.${topic})`
  })
  .join(' OR ')})`

const keptOrders = `WITH partitions AS (
    SELECT source, partition, topics.number AS topic, beginning, ending
    FROM json_to_recordset($1) AS given (source text, partition integer, topic_id uuid, beginning bigint, ending bigint)
      LEFT JOIN orders.topics USING (topic_id)
  ), unreadable AS (
    SELECT * FROM json_to_recordset($2) AS given (source text, partition integer, beginning bigint)
  ), kept AS (
    SELECT order_id, CASE
      WHEN ${isOfDeletedTopic} THEN 'of a deleted topic'
      WHEN ${hasPosition('partitions', offset => `${offset} >= range.ending`)} THEN 'newer'
      WHEN ${hasPosition('partitions', offset => `${offset} < range.beginning`)} THEN 'removed by retention'
      WHEN ${hasPosition('unreadable', offset => `${offset} = range.beginning`)} THEN 'unreadable'
      ELSE 'without a record'
    END AS reason
    FROM orders.orders AS stored
    WHERE NOT EXISTS (SELECT FROM ${table} AS rebuilt WHERE rebuilt.order_id = stored.order_id)
  )
  SELECT reason, count(*)::integer AS orders, (array_agg(order_id ORDER BY order_id))[1:10] AS examples
  FROM kept GROUP BY reason ORDER BY reason`
