import type { Pool, PoolClient, QueryResult, QueryResultRow } from 'pg'
import { binaryArray, type ElementName, isElementName } from './binary-array.ts'

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
