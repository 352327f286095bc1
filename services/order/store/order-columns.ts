import type { Shortage } from '@orderly/contracts'
import type { Creation, OrderChange, Position } from '../domain/order-change.ts'

/**
 * A row of `orders.orders` as `readColumns` selects it: an order whose acceptance is known.
 * `creationIn` reads the columns in `creationColumns`.
 */
export interface OrderRow {
  readonly order_id: string
  readonly user_id: string
  readonly outcome: 'reserved' | 'failed' | null
  readonly reason: string
  readonly shortages: readonly Shortage[]
  readonly hold_until: Date | null
  readonly decided_at: Date
  readonly confirmed_at: Date | null
  readonly confirmation_request: string
  readonly release_cause: string
  readonly released_at: Date | null
  readonly release_request: string
}

type ColumnType = 'text' | 'integer' | 'bigint' | 'jsonb' | 'time'

/** A column: the type of its parameter and its value in a change. Times are passed in seconds. */
interface Column {
  readonly name: string
  readonly type: ColumnType
  readonly read: (change: OrderChange, topics: TopicNumbers) => unknown
}

/** Numbers of topics by topic id. Rows store the number because it is shorter. */
export type TopicNumbers = ReadonlyMap<string, number>

/**
 * A fact about an order: its acceptance, its outcome, its confirmation or its release. Each fact is
 * read from one record, which fills either all or none of these columns.
 */
export interface Fact {
  readonly of: 'created' | 'decided' | 'confirmed' | 'released'
  /** Column that is not null once the record was read. */
  readonly marker: string
  readonly topic: string
  readonly partition: string
  readonly offset: string
  readonly columns: readonly Column[]
}

/** Earliest time of Postgres and latest time of `Date`. Records may contain other times. */
const [firstMs, lastMs] = [-210_866_803_200_000, 8.64e15]
const seconds = (ms: number | undefined) =>
  ms === undefined ? undefined : Math.max(firstMs, Math.min(lastMs, ms)) / 1_000
const reservedOf = ({ decided }: OrderChange) => (decided?.kind === 'reserved' ? decided : undefined)
const failedOf = ({ decided }: OrderChange) => (decided?.kind === 'failed' ? decided : undefined)

type CreationField = Exclude<keyof Creation, keyof Position>

/** The column of each field of an accepted order. A field without a column is a type error. */
const creationColumns: { readonly [Field in CreationField]-?: { readonly name: string; readonly type: ColumnType } } = {
  items: { name: 'items', type: 'jsonb' },
  totalMinor: { name: 'total_minor', type: 'bigint' },
  currency: { name: 'currency', type: 'text' },
  acceptedAtMs: { name: 'accepted_at', type: 'time' },
  holdSeconds: { name: 'hold_seconds', type: 'integer' },
  traceID: { name: 'trace_id', type: 'text' },
  caller: { name: 'caller', type: 'text' }
}
const creationFields = Object.keys(creationColumns) as CreationField[]

function toParameter(type: ColumnType, value: unknown): unknown {
  if (type === 'jsonb') return JSON.stringify(value)
  return type === 'time' ? seconds(value as number) : value
}

/** Returns the fields of the accepted order in a row. NULL is the value of an absent field. */
export function creationIn(row: object): Omit<Creation, keyof Position> {
  const columns = row as Readonly<Record<string, unknown>>
  const entries = creationFields.flatMap(field => {
    const value = columns[creationColumns[field].name]
    return value === null ? [] : [[field, value instanceof Date ? value.getTime() : value]]
  })
  return Object.fromEntries(entries)
}

export const readColumns = [
  'order_id, user_id',
  ...creationFields.map(field => creationColumns[field].name),
  'outcome, reason, shortages, hold_until, decided_at',
  'confirmed_at, confirmation_request, release_cause, released_at, release_request'
].join(', ')

function fact(of: Fact['of'], marker: string, prefix: string, columns: readonly Column[]): Fact {
  const [topic, partition, offset] = [`${prefix}_topic`, `${prefix}_partition`, `${prefix}_offset`]
  return {
    ...{ of, marker, topic, partition, offset },
    columns: [
      ...columns,
      { name: topic, type: 'integer', read: (change, topics) => topics.get(change[of]?.topicID ?? '') },
      { name: partition, type: 'integer', read: change => change[of]?.partition },
      { name: offset, type: 'bigint', read: change => change[of]?.offset }
    ]
  }
}

export const facts: readonly Fact[] = [
  fact(
    'created',
    'accepted_at',
    'created',
    creationFields.map(field => {
      const { name, type } = creationColumns[field]
      return { name, type, read: ({ created }) => created && toParameter(type, created[field]) }
    })
  ),
  fact('decided', 'outcome', 'outcome', [
    { name: 'outcome', type: 'text', read: ({ decided }) => decided?.kind },
    { name: 'reason', type: 'text', read: change => failedOf(change)?.reason },
    {
      name: 'shortages',
      type: 'jsonb',
      read: change => failedOf(change) && JSON.stringify(failedOf(change)?.shortages)
    },
    { name: 'hold_until', type: 'time', read: change => seconds(reservedOf(change)?.holdUntilMs) },
    { name: 'decided_at', type: 'time', read: ({ decided }) => seconds(decided?.decidedAtMs) }
  ]),
  fact('confirmed', 'confirmed_at', 'confirmation', [
    { name: 'confirmed_at', type: 'time', read: ({ confirmed }) => seconds(confirmed?.confirmedAtMs) },
    { name: 'confirmation_request', type: 'text', read: ({ confirmed }) => confirmed?.requestID }
  ]),
  fact('released', 'released_at', 'release', [
    { name: 'release_cause', type: 'text', read: ({ released }) => released?.cause },
    { name: 'released_at', type: 'time', read: ({ released }) => seconds(released?.releasedAtMs) },
    { name: 'release_request', type: 'text', read: ({ released }) => released?.requestID }
  ])
]

export function columnsOf(given: readonly Fact[]): Column[] {
  return [
    { name: 'order_id', type: 'text', read: ({ orderID }) => orderID },
    { name: 'user_id', type: 'text', read: ({ userID }) => userID },
    ...given.flatMap(({ columns }) => columns)
  ]
}

export const allColumns = columnsOf(facts)
  .map(({ name }) => name)
  .join(', ')

/** Returns the conflict clause of an upsert that keeps known facts and writes no unchanged rows. */
export function addWhatIsNew(given: readonly Fact[]): string {
  const assignments = given.flatMap(({ marker, columns }) =>
    columns.map(
      ({ name }) => `${name} = CASE WHEN known.${marker} IS NULL THEN excluded.${name} ELSE known.${name} END`
    )
  )
  const isNew = given.map(({ marker }) => `(known.${marker} IS NULL AND excluded.${marker} IS NOT NULL)`)
  return `ON CONFLICT (order_id) DO UPDATE SET ${assignments.join(', ')} WHERE ${isNew.join(' OR ')}`
}
