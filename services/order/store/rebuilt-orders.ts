import { inTransaction } from '@orderly/postgres'
import type { Pool } from 'pg'
import { addWhatIsNew, allColumns, type Fact, facts } from './order-columns.ts'
import type { OrderStore } from './order-store.ts'
import { createPostgresOrderStore } from './postgres-orders.ts'

/** How far a topic has been replayed. */
export interface ReplayEnd {
  readonly source: 'reserved' | 'failed' | Exclude<Fact['of'], 'decided'>
  readonly partition: number
  /** The first offset that has not been replayed. */
  readonly offset: number
}

/** All orders anew, beside the ones that are being read and written meanwhile. */
export interface RebuiltOrders {
  readonly store: Pick<OrderStore, 'apply'>
  /**
   * Makes them the orders. Of what was there before only that stays which was read from the topics behind the ends. Readers
   * notice nothing; the projection waits. Rows that are right already are not written.
   * @returns how many rows were wrong or missing, and how many should not have been there
   */
  replace(ends: readonly ReplayEnd[]): Promise<{ readonly written: number; readonly removed: number }>
}

const table = 'orders.orders_rebuilt'

export async function createRebuiltOrders(pool: Pool): Promise<RebuiltOrders> {
  await pool.query(`DROP TABLE IF EXISTS ${table}`)
  await pool.query(`CREATE TABLE ${table} (LIKE orders.orders INCLUDING ALL)`)
  return {
    store: createPostgresOrderStore(pool, table),
    replace: ends =>
      inTransaction(pool, async client => {
        await client.query('SET LOCAL statement_timeout = 0')
        await client.query('LOCK TABLE orders.orders IN SHARE ROW EXCLUSIVE MODE')
        await client.query(addNewer, [
          ends.map(({ source }) => source),
          ends.map(({ partition }) => partition),
          ends.map(({ offset }) => offset)
        ])
        const removed = await client.query(
          `DELETE FROM orders.orders WHERE NOT EXISTS (SELECT FROM ${table} AS rebuilt WHERE rebuilt.order_id = orders.order_id)`
        )
        const written = await client.query(overwrite)
        await client.query(`DROP TABLE ${table}`)
        return { written: written.rowCount ?? 0, removed: removed.rowCount ?? 0 }
      })
  }
}

/** A row is newer when any of its facts was read behind the ends. An outcome comes from the topic of its kind. */
const isNewer = facts.map(({ of, partition, offset }) => {
  const source = of === 'decided' ? 'outcome' : `'${of}'`
  return `EXISTS (SELECT FROM ends WHERE source = ${source} AND in_partition = ${partition} AND ${offset} >= end_offset)`
})

const addNewer = `WITH ends AS (
    SELECT * FROM unnest($1::text[], $2::integer[], $3::bigint[]) AS given (source, in_partition, end_offset)
  )
  INSERT INTO ${table} AS known (${allColumns})
  SELECT ${allColumns} FROM orders.orders WHERE ${isNewer.join(' OR ')}
  ${addWhatIsNew(facts)}`

const assignments = allColumns
  .split(', ')
  .slice(1)
  .map(column => `${column} = excluded.${column}`)
  .join(', ')

const overwrite = `INSERT INTO orders.orders AS known (${allColumns}) SELECT ${allColumns} FROM ${table}
  ON CONFLICT (order_id) DO UPDATE SET ${assignments} WHERE known.* IS DISTINCT FROM excluded.*`
