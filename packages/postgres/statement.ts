import type { Pool, PoolClient, QueryResult, QueryResultRow } from 'pg'
import { isPostgresDataError, isPostgresServerError, isTransientPostgresError } from './errors.ts'

/** Type of the rows of a statement that declares none. */
type UntypedRow = QueryResultRow[string]

/**
 * A prepared statement: the same name must always carry the same text. `Row` is the type of the
 * rows that it returns, declared where its SQL is.
 */
export interface Statement<Row extends QueryResultRow = UntypedRow> {
  readonly name: string
  /**
   * SQL text. A parameter with an array type, as in `$1::text[]`, is sent in Postgres' binary
   * format.
   */
  readonly text: string
  readonly values: readonly unknown[]
  /** Carries the type of the rows; never set. */
  readonly rows?: readonly Row[]
}

/**
 * Returns the column list of a SELECT or RETURNING for a row. Every property of the row must have
 * its column or expression, so that a type and its columns cannot differ.
 */
export function columnsOf<Row>(columns: { readonly [Name in keyof Row]-?: string }): string {
  const list = Object.entries<string>(columns)
  return list.map(([name, column]) => (name === column ? column : `${column} AS "${name}"`)).join(', ')
}

/**
 * Runs a statement, which is sent before this function returns.
 * @throws RangeError when an integer does not fit the type of its array
 */
export async function runStatement<Row extends QueryResultRow = UntypedRow>(
  on: Pool | PoolClient,
  { name, text, values }: Statement<Row>
): Promise<QueryResult<Row>> {
  const types = arrayTypesOf(text)
  const sent = values.map((value, index) => {
    const type = types.get(index + 1)
    return type !== undefined && Array.isArray(value) ? binaryArray(type, value) : value
  })
  return on.query<Row>({ name, text, values: sent })
}

const known = new Map<string, ReadonlyMap<number, ElementName>>()

/**
 * Returns the element types of binary arrays by parameter number. pg sends arrays of other types as
 * text.
 */
function arrayTypesOf(text: string): ReadonlyMap<number, ElementName> {
  const found = known.get(text)
  if (found !== undefined) return found
  const types = new Map<number, ElementName>()
  for (const [, parameter, type = ''] of text.matchAll(/\$(\d+)::(\w+)\[\]/g))
    if (isElementName(type)) types.set(Number(parameter), type)
  known.set(text, types)
  return types
}

/**
 * An element type of Postgres' binary array format (`array_send`,
 * src/backend/utils/adt/arrayfuncs.c): element type, count, and each element after its length. pg
 * sends arrays as text, which the client quotes and Postgres parses, element by element. For a row
 * of eleven columns, text takes twice the CPU time in the client and a third more in Postgres.
 */
interface ElementType {
  readonly oid: number
  /** Returns the size of an element in bytes. */
  size(value: never): number
  write(into: Buffer, at: number, value: never): void
}

const integer: ElementType = {
  oid: 23,
  size: () => 4,
  write: (into, at, value: number) => into.writeInt32BE(value, at)
}

const bigint: ElementType = {
  oid: 20,
  size: () => 8,
  write(into, at, value: number | bigint) {
    if (typeof value === 'bigint') {
      into.writeBigInt64BE(value, at)
      return
    }
    if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is not a safe integer`)
    const high = Math.floor(value / 2 ** 32)
    into.writeInt32BE(high, at)
    into.writeUInt32BE(value - high * 2 ** 32, at + 4)
  }
}

const float8: ElementType = {
  oid: 701,
  size: () => 8,
  write: (into, at, value: number) => into.writeDoubleBE(value, at)
}

const text: ElementType = {
  oid: 25,
  size: (value: string) => Buffer.byteLength(value),
  write: (into, at, value: string) => into.write(value, at)
}

const bytea: ElementType = {
  oid: 17,
  size: (value: Buffer) => value.length,
  write: (into, at, value: Buffer) => value.copy(into, at)
}

const uuid: ElementType = {
  oid: 2950,
  size: () => 16,
  write(into, at, value: string) {
    if (into.write(value.replaceAll('-', ''), at, 'hex') !== 16) throw new RangeError(`"${value}" is not a UUID`)
  }
}

/** JSON text after a byte with the format version, 1. */
const jsonb: ElementType = {
  oid: 3802,
  size: (value: string) => 1 + Buffer.byteLength(value),
  write(into, at, value: string) {
    into[at] = 1
    into.write(value, at + 1)
  }
}

const elementTypes = { integer, bigint, float8, text, jsonb, bytea, uuid }
type ElementName = keyof typeof elementTypes

function isElementName(name: string): name is ElementName {
  return Object.hasOwn(elementTypes, name)
}

const headerSize = 20

/**
 * Encodes a one-dimensional array with the lower bound 1. null and undefined become NULL.
 *
 * @throws RangeError when an integer does not fit its type
 */
function binaryArray(name: ElementName, values: readonly unknown[]): Buffer {
  const { oid, size, write }: ElementType = elementTypes[name]
  const sizes = values.map(value => (value === null || value === undefined ? -1 : size(value as never)))
  const array = Buffer.allocUnsafe(sizes.reduce((total, size) => total + 4 + Math.max(size, 0), headerSize))
  const [dimensions, hasNull, firstIndex] = [values.length === 0 ? 0 : 1, sizes.includes(-1) ? 1 : 0, 1]
  let at = 0
  for (const number of [dimensions, hasNull, oid, values.length, firstIndex]) at = array.writeInt32BE(number, at)
  values.forEach((value, index) => {
    const size = sizes[index] as number
    at = array.writeInt32BE(size, at)
    if (size < 0) return
    write(array, at, value as never)
    at += size
  })
  return values.length === 0 ? array.subarray(0, 12) : array
}

/** An error that no request caused: the database is unavailable, overloaded or misconfigured. */
export class StoreUnavailableError extends Error {
  readonly code = 'DATABASE_UNAVAILABLE'
  readonly retryable = true

  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'StoreUnavailableError'
  }
}

/**
 * Converts failures of the database to StoreUnavailableError; errors caused by values are rethrown.
 */
export async function orUnavailable<Result>(work: Promise<Result>): Promise<Result> {
  try {
    return await work
  } catch (error) {
    const isOurs = isTransientPostgresError(error) || (isPostgresServerError(error) && !isPostgresDataError(error))
    if (!isOurs) throw error
    throw new StoreUnavailableError('database unavailable', { cause: error })
  }
}
