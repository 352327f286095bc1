import type { OrderCreated, Shortage } from '@orderly/contracts'

/** Position of a record. */
export interface Position {
  readonly partition: number
  readonly offset: number
  /** Id of the topic that the offset belongs to; absent when it is unknown. */
  readonly topicID?: string | undefined
}

/** Fields that are present if they are not null. */
type WithoutNulls<Fields> = {
  readonly [Name in keyof Fields as null extends Fields[Name] ? never : Name]: Fields[Name]
} & {
  readonly [Name in keyof Fields as null extends Fields[Name] ? Name : never]?: NonNullable<Fields[Name]>
}

/** Returns the fields that are not null. */
export function withoutNulls<Fields extends object>(fields: Fields): WithoutNulls<Fields> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null)) as WithoutNulls<Fields>
}

/** The content of an order. Each field has a column and is shown. */
export type OrderContent = WithoutNulls<Omit<OrderCreated, 'orderID' | 'userID' | 'createdAtMs'>>

/** Fields that are accepted, stored and shown as they are. */
export type PlainFields = Omit<OrderContent, 'items' | 'totalMinor' | 'currency'>

export interface Creation extends Position, OrderContent {
  readonly acceptedAtMs: number
  readonly traceID?: string
  /** Caller that placed the order; absent if authentication was off. */
  readonly caller?: string
}

export type Decision = { readonly decidedAtMs: number } & (
  | { readonly kind: 'reserved'; readonly holdUntilMs?: number }
  | { readonly kind: 'failed'; readonly reason: string; readonly shortages: readonly Shortage[] }
)

/** A confirmation, which makes the reservation of a hold permanent. */
export interface Confirmation {
  readonly confirmedAtMs: number
  /** Id of the change request that caused it; empty if the request had none. */
  readonly requestID: string
}

/** A release of the stock of an order. */
export interface Release {
  readonly releasedAtMs: number
  /** Id of the change request that caused it; empty if the request had none. */
  readonly requestID: string
  readonly cause: string
}

/**
 * Facts about an order from one or more records: its acceptance, outcome, confirmation and release.
 */
export interface OrderChange {
  readonly orderID: string
  readonly userID: string
  readonly created?: Creation
  readonly decided?: Decision & Position
  readonly confirmed?: Confirmation & Position
  readonly released?: Release & Position
}

/**
 * Merges the changes of a batch into one change per order. Known facts are kept; later changes only
 * add missing facts. Each fact occurs once per order, so repeated and reordered records result in
 * the same order.
 */
export function mergeChanges(changes: readonly OrderChange[]): OrderChange[] {
  const byOrder = new Map<string, OrderChange>()
  for (const change of changes) byOrder.set(change.orderID, { ...change, ...byOrder.get(change.orderID) })
  return [...byOrder.values()]
}
