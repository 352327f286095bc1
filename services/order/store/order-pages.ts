import { failureReasons, releaseCauses } from '@orderly/contracts'
import type { Statement } from '@orderly/postgres'
import { readColumns } from './order-columns.ts'
import type { OrderFilter, PageRequest } from './order-store.ts'

/**
 * The statements that list orders. Ids rise with time, so the indexes on ids list the newest orders
 * first. The status is not indexed: an index would end updates within a page (HOT), and each order
 * would cost more writes. A filter that has no index examines `examinedPerPage` orders at most. The
 * first statement finds the last one of these, the second one reads those that match.
 */
export interface OrderPages {
  /** Finds the oldest order to examine; undefined if an index finds the matching orders. */
  readonly oldestExamined: Statement | undefined
  /** Reads the matching orders. @param oldestID result of `oldestExamined` */
  page(oldestID: string | undefined): Statement
}

/** Maximum number of orders that one page examines: a few tens of milliseconds. */
export const examinedPerPage = 10_000

/**
 * Maximum difference between the time in an order id and the time of the acceptance. One service
 * instance sets both for the same request.
 */
const idToleranceMs = 5_000

/** The status of a row, as `orderStatusOf` computes it. */
const statusColumn = `CASE WHEN outcome IS NULL THEN 'accepted'
  WHEN released_at IS NOT NULL THEN CASE release_cause WHEN '${releaseCauses.expired}' THEN 'expired' ELSE 'cancelled' END
  WHEN outcome = 'failed' THEN CASE reason WHEN '${failureReasons.cancelled}' THEN 'cancelled' ELSE 'failed' END
  WHEN confirmed_at IS NOT NULL THEN 'confirmed' ELSE 'reserved' END`

export function orderPages(table: string, filter: OrderFilter, { limit, beforeID }: PageRequest): OrderPages {
  const { userID, caller, status, sku, fromMs, untilMs } = filter
  const indexed = [
    condition(userID, value => `user_id = ${value}`),
    condition(caller, value => `caller = ${value}`),
    condition(beforeID, value => `order_id < ${value}`),
    condition(
      fromMs,
      value => `order_id >= ${value}`,
      ms => idAt(ms - idToleranceMs)
    ),
    condition(
      untilMs,
      value => `order_id < ${value}`,
      ms => idAt(ms + idToleranceMs)
    )
  ]
  const examined = [
    condition(fromMs, value => `accepted_at >= to_timestamp(${value}::float8 / 1000)`),
    condition(untilMs, value => `accepted_at < to_timestamp(${value}::float8 / 1000)`),
    condition(status, value => `${statusColumn} = ${value}`),
    condition(
      sku,
      value => `items @> ${value}::jsonb`,
      given => JSON.stringify([{ sku: given }])
    )
  ]
  return {
    oldestExamined: examined.some(({ isGiven }) => isGiven)
      ? select('oldest', table, { columns: 'order_id', conditions: indexed, limit: 1, offset: examinedPerPage - 1 })
      : undefined,
    page(oldestID) {
      const oldest = condition(oldestID, value => `order_id >= ${value}`)
      const isAccepted: Condition = { isGiven: true, text: () => 'accepted_at IS NOT NULL' }
      const conditions = [...indexed, oldest, ...examined, isAccepted]
      return select('page', table, { columns: readColumns, conditions, limit, offset: 0 })
    }
  }
}

interface Condition {
  readonly isGiven: boolean
  /** @param parameter placeholder of the value */
  text(parameter: string): string
  readonly value?: unknown
}

/** Returns a condition on a value of the filter, which applies if the value is given. */
function condition<Value>(
  value: Value | undefined,
  text: Condition['text'],
  toParameter: (value: Value) => unknown = value => value
): Condition {
  return value === undefined ? { isGiven: false, text } : { isGiven: true, text, value: toParameter(value) }
}

interface Selection {
  readonly columns: string
  readonly conditions: readonly Condition[]
  readonly limit: number
  readonly offset: number
}

/** Returns a statement whose name has the numbers of its conditions, so that each text has one name. */
function select(what: string, table: string, { columns, conditions, limit, offset }: Selection): Statement {
  const values: unknown[] = [limit, offset]
  const given = conditions.flatMap((condition, index) => (condition.isGiven ? { ...condition, index } : []))
  const texts = given.map(({ text, value }) => text(value === undefined ? '' : `$${values.push(value)}`))
  return {
    name: `${what} ${given.map(({ index }) => index).join('-')} in ${table}`,
    text: `SELECT ${columns} FROM ${table} ${texts.length === 0 ? '' : `WHERE ${texts.join(' AND ')}`}
      ORDER BY order_id DESC LIMIT $1 OFFSET $2`,
    values
  }
}

const maxIDMs = 2 ** 48 - 1

/** Returns the first order id of a time: a UUID version 7 begins with its milliseconds. */
function idAt(ms: number): string {
  const digits = Math.max(0, Math.min(maxIDMs, Math.floor(ms)))
    .toString(16)
    .padStart(12, '0')
  return `${digits.slice(0, 8)}-${digits.slice(8)}`
}
