import type { Pool, PoolClient, QueryResult, QueryResultRow } from 'pg'
import { binaryArray, type ElementName, isElementName } from './binary-array.ts'

/** A prepared statement: the same name must always carry the same text. */
export interface Statement {
  readonly name: string
  /** Where it says of which type an array is, as in `$1::text[]`, the array is sent in Postgres' own form. */
  readonly text: string
  readonly values: readonly unknown[]
}

/** Sends it before it returns. @throws RangeError where an integer does not fit the type of its array */
export async function runStatement<Row extends QueryResultRow = QueryResultRow>(
  on: Pool | PoolClient,
  { name, text, values }: Statement
): Promise<QueryResult<Row>> {
  const types = arrayTypesOf(text)
  const sent = values.map((value, index) => {
    const type = types.get(index + 1)
    return type !== undefined && Array.isArray(value) ? binaryArray(type, value) : value
  })
  return on.query<Row>({ name, text, values: sent })
}

const known = new Map<string, ReadonlyMap<number, ElementName>>()

/** By the number of the parameter. Of the other types pg makes text. */
function arrayTypesOf(text: string): ReadonlyMap<number, ElementName> {
  const found = known.get(text)
  if (found !== undefined) return found
  const types = new Map<number, ElementName>()
  for (const [, parameter, type = ''] of text.matchAll(/\$(\d+)::(\w+)\[\]/g))
    if (isElementName(type)) types.set(Number(parameter), type)
  known.set(text, types)
  return types
}
