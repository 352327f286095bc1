import { type PostgresPositions, readDecideWriteWith } from '@orderly/positions'
import { orUnavailable, retryConflicts, type Statement } from '@orderly/postgres'
import type { Pool } from 'pg'
import { type Decision, mergeChanges, type OrderChange } from '../domain/order-change.ts'
import type { Order } from '../domain/order-status.ts'
import { type RunStatement, runOn } from './database.ts'
import {
  addWhatIsNew,
  columnsOf,
  creationIn,
  facts,
  type OrderRow,
  readColumns,
  type TopicNumbers
} from './order-columns.ts'
import { orderPages } from './order-pages.ts'
import type { OrderStore } from './order-store.ts'

const liveTable = 'orders.orders'

/**
 * Creates an order store in Postgres.
 * @param table a table with the same columns as the default one, for a rebuild
 */
export function createOrderStore(run: RunStatement, table = liveTable): OrderStore {
  const topicNumbers = createTopicNumbers(run)
  return {
    ...createOrderReader(run, table),
    async apply(changes) {
      if (changes.length === 0) return
      const statement = upsert(table, mergeChanges(changes), await topicNumbers(changes))
      // Another instance that assumes to own the partition may write the same orders in another order.
      await retryConflicts(() => run(statement))
    }
  }
}

/** Creates the store of the projection, which saves facts and positions in one transaction. */
export function createProjectedOrderStore(pool: Pool, positions: PostgresPositions): OrderStore {
  const run = runOn(pool)
  const topicNumbers = createTopicNumbers(run)
  return {
    ...createOrderReader(run, liveTable),
    async apply(changes, advances = []) {
      if (changes.length === 0) return orUnavailable(positions.advance(advances))
      const statement = upsert(liveTable, mergeChanges(changes), await topicNumbers(changes))
      const nothing = () => ({ writes: [], result: undefined })
      await retryConflicts(() =>
        orUnavailable(readDecideWriteWith(pool, { positions, advances }, [statement], nothing))
      )
    }
  }
}

/**
 * Returns a function that looks up the number of each topic whose records caused the changes
 * (`TopicNumbers`). A topic without a number gets one. Numbers never change, so each topic id is
 * looked up once.
 */
function createTopicNumbers(run: RunStatement): (changes: readonly OrderChange[]) => Promise<TopicNumbers> {
  const numbers = new Map<string, number>()
  return async changes => {
    const unknown = new Set<string>()
    for (const { created, decided, confirmed, released } of changes) {
      for (const position of [created, decided, confirmed, released])
        if (position?.topicID !== undefined && !numbers.has(position.topicID)) unknown.add(position.topicID)
    }
    if (unknown.size === 0) return numbers
    await run({
      name: 'add topics',
      text: 'INSERT INTO orders.topics (topic_id) SELECT id::uuid FROM unnest($1::text[]) AS id ON CONFLICT DO NOTHING',
      values: [[...unknown]]
    })
    const { rows } = await run<{ topic_id: string; number: number }>({
      name: 'find topics',
      text: 'SELECT topic_id, number FROM orders.topics WHERE topic_id = ANY(ARRAY(SELECT id::uuid FROM unnest($1::text[]) AS id))',
      values: [[...unknown]]
    })
    for (const { topic_id, number } of rows) numbers.set(topic_id, number)
    return numbers
  }
}

function createOrderReader(run: RunStatement, table: string): Omit<OrderStore, 'apply'> {
  return {
    async find(orderIDs) {
      const { rows } = await run<OrderRow>(selectByID(table, orderIDs))
      return new Map(rows.map(row => [row.order_id, toOrder(row)]))
    },
    async list(filter, { limit, beforeID }) {
      const { oldestExamined, page } = orderPages(table, filter, { limit: limit + 1, beforeID })
      const oldestID = oldestExamined && (await run<{ order_id: string }>(oldestExamined)).rows[0]?.order_id
      const { rows } = await run<OrderRow>(page(oldestID))
      const orders = rows.slice(0, limit).map(toOrder)
      const nextBeforeID = rows.length > limit ? orders.at(-1)?.orderID : oldestID
      return { orders, ...(nextBeforeID !== undefined && { nextBeforeID }) }
    }
  }
}

/**
 * Returns one statement for a whole batch, with the columns that the batch fills. The statement
 * does not write rows that would not change, so a repeated batch costs no writes.
 */
function upsert(table: string, changes: readonly OrderChange[], topics: TopicNumbers): Statement {
  const rows = changes.toSorted((a, b) => (a.orderID < b.orderID ? -1 : 1))
  const given = facts.filter(({ of }) => rows.some(change => change[of] !== undefined))
  const columns = columnsOf(given)
  const names = columns.map(({ name }) => name).join(', ')
  const values = columns.map(({ name, type }) => (type === 'time' ? `to_timestamp(${name})` : name))
  const parameters = columns.map(({ type }, index) => `$${index + 1}::${type === 'time' ? 'float8' : type}[]`)
  return {
    name: `upsert ${table} ${given.map(({ of }) => of).join(' ')}`,
    text: `INSERT INTO ${table} AS known (${names})
      SELECT ${values.join(', ')} FROM unnest(${parameters.join(', ')}) AS change (${names})
      ${addWhatIsNew(given)}`,
    values: columns.map(({ read }) => rows.map(change => read(change, topics)))
  }
}

function selectByID(table: string, orderIDs: readonly string[]): Statement {
  return {
    name: `find in ${table}`,
    text: `SELECT ${readColumns} FROM ${table} WHERE order_id = ANY($1::text[]) AND accepted_at IS NOT NULL`,
    values: [orderIDs]
  }
}

function toOrder(row: OrderRow): Order {
  const decided = toDecision(row)
  return {
    orderID: row.order_id,
    userID: row.user_id,
    created: creationIn(row),
    ...(decided && { decided }),
    ...(decided &&
      row.confirmed_at !== null && {
        confirmed: { confirmedAtMs: row.confirmed_at.getTime(), requestID: row.confirmation_request }
      }),
    ...(decided &&
      row.released_at !== null && {
        released: { releasedAtMs: row.released_at.getTime(), cause: row.release_cause, requestID: row.release_request }
      })
  }
}

function toDecision({ outcome, reason, shortages, hold_until, decided_at }: OrderRow): Decision | undefined {
  if (outcome === null) return undefined
  const decidedAtMs = decided_at.getTime()
  if (outcome === 'failed') return { kind: outcome, decidedAtMs, reason, shortages }
  return { kind: outcome, decidedAtMs, ...(hold_until !== null && { holdUntilMs: hold_until.getTime() }) }
}
