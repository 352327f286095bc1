import { type PostgresPositions, readDecideWriteWith } from '@orderly/positions'
import { isPostgresConflict, orUnavailable, retryTransient, runStatement, type Statement } from '@orderly/postgres'
import type { Pool, PoolClient, QueryResultRow } from 'pg'
import {
  type Confirmation,
  type Decision,
  mergeChanges,
  type OrderChange,
  type Release
} from '../domain/order-change.ts'
import type { Order } from '../domain/order-status.ts'
import { addWhatIsNew, columnsOf, facts, type TopicNumbers } from './order-columns.ts'
import type { OrderStore, PageRequest } from './order-store.ts'
import { topicNumbers } from './topic-numbers.ts'

const liveTable = 'orders.orders'

/**
 * Creates an order store in Postgres.
 * @param table a table with the same columns as the default one, for a rebuild
 */
export function createPostgresOrderStore(on: Pool | PoolClient, table = liveTable): OrderStore {
  return {
    ...createOrderReader(on, table),
    async apply(changes) {
      if (changes.length === 0) return
      const numbers = await topicNumbers(on, changes)
      await retryConflicts(() => orUnavailable(runStatement(on, upsert(table, mergeChanges(changes), numbers))))
    }
  }
}

/** Creates the store of the projection, which saves facts and positions in one transaction. */
export function createProjectedOrderStore(pool: Pool, positions: PostgresPositions): OrderStore {
  return {
    ...createOrderReader(pool, liveTable),
    async apply(changes, advances = []) {
      if (changes.length === 0) return orUnavailable(positions.advance(advances))
      const statement = upsert(liveTable, mergeChanges(changes), await topicNumbers(pool, changes))
      const nothing = () => ({ writes: [], result: undefined })
      await retryConflicts(() =>
        orUnavailable(readDecideWriteWith(pool, { positions, advances }, [statement], nothing))
      )
    }
  }
}

/**
 * Retries after a conflict. Two instances that both assume to own a partition may write the same
 * orders in different order.
 */
function retryConflicts(work: () => Promise<unknown>): Promise<void> {
  const options = { isTransient: isPostgresConflict, attempts: 10, firstDelayMs: 2 }
  return retryTransient(async () => void (await work()), options)
}

function createOrderReader(on: Pool | PoolClient, table: string): Omit<OrderStore, 'apply'> {
  const run = (statement: Statement) => orUnavailable(runStatement(on, statement))
  return {
    async find(orderIDs) {
      const { rows } = await run(selectByID(table, orderIDs))
      return new Map(rows.map(row => [row.order_id, toOrder(row)]))
    },
    async list(userID, page) {
      const { limit } = page
      const { rows } = await run(selectOfUser(table, userID, { ...page, limit: limit + 1 }))
      return { orders: rows.slice(0, limit).map(toOrder), hasMore: rows.length > limit }
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

const readColumns =
  'order_id, user_id, items, total_minor, currency, accepted_at, hold_seconds, trace_id, caller, ' +
  'outcome, reason, shortages, hold_until, decided_at, ' +
  'confirmed_at, confirmation_request, release_cause, released_at, release_request'

function selectByID(table: string, orderIDs: readonly string[]): Statement {
  return {
    name: `find in ${table}`,
    text: `SELECT ${readColumns} FROM ${table} WHERE order_id = ANY($1::text[]) AND accepted_at IS NOT NULL`,
    values: [orderIDs]
  }
}

function selectOfUser(table: string, userID: string, { limit, beforeID, caller }: PageRequest): Statement {
  const values: unknown[] = [userID, limit]
  const given = (condition: string, value: string | undefined) =>
    value === undefined ? '' : `AND ${condition} $${values.push(value)}`
  const conditions = `${given('caller =', caller)} ${given('order_id <', beforeID)}`
  return {
    name: `${beforeID === undefined ? 'newest' : 'older'} of user${caller === undefined ? '' : ' and caller'} in ${table}`,
    text: `SELECT ${readColumns} FROM ${table}
      WHERE user_id = $1 AND accepted_at IS NOT NULL ${conditions} ORDER BY order_id DESC LIMIT $2`,
    values
  }
}

function toOrder(row: QueryResultRow): Order {
  const hasOutcome = row.outcome !== null
  return {
    orderID: row.order_id,
    userID: row.user_id,
    created: {
      items: row.items,
      totalMinor: row.total_minor,
      currency: row.currency,
      acceptedAtMs: row.accepted_at.getTime(),
      ...(row.hold_seconds !== null && { holdSeconds: row.hold_seconds }),
      ...(row.trace_id !== null && { traceID: row.trace_id }),
      ...(row.caller !== null && { caller: row.caller })
    },
    ...(hasOutcome && { decided: toDecision(row) }),
    ...(hasOutcome && row.confirmed_at !== null && { confirmed: toConfirmation(row) }),
    ...(hasOutcome && row.released_at !== null && { released: toRelease(row) })
  }
}

function toConfirmation({ confirmed_at, confirmation_request: requestID }: QueryResultRow): Confirmation {
  return { confirmedAtMs: confirmed_at.getTime(), requestID }
}

function toRelease({ released_at, release_cause: cause, release_request: requestID }: QueryResultRow): Release {
  return { releasedAtMs: released_at.getTime(), cause, requestID }
}

function toDecision({ outcome, reason, shortages, hold_until, decided_at }: QueryResultRow): Decision {
  const decidedAtMs = decided_at.getTime()
  if (outcome === 'failed') return { kind: outcome, decidedAtMs, reason, shortages }
  return { kind: outcome, decidedAtMs, ...(hold_until !== null && { holdUntilMs: hold_until.getTime() }) }
}
