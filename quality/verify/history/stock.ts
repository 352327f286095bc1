/** Stock changes of operators during a run, and what was observed of the stock. */
import type { StockMoved } from '@orderly/contracts'

export type StockChangeKind =
  | { readonly kind: 'set'; readonly available: number }
  | { readonly kind: 'count'; readonly onHand: number }
  | { readonly kind: 'adjust'; readonly delta: number; readonly key: string }

/** One attempt to change the stock of a SKU. */
export interface StockChange {
  /** Recorded as the reason of the movement. Attempts with the same id repeat the same change. */
  readonly id: string
  readonly sku: string
  readonly change: StockChangeKind
  readonly sentAtMs: number
  readonly endedAtMs: number
  readonly result:
    | { readonly kind: 'done'; readonly level: StockLevel; readonly isReplay: boolean }
    /** Permanently refused: the change must not take effect. */
    | { readonly kind: 'refused'; readonly code: string }
    | { readonly kind: 'unknown'; readonly reason: string }
}

export interface StockLevel {
  readonly available: number
  readonly reserved: number
  readonly onHand: number
}

/** Answer to a request for the stock of one SKU, or its line in a page of all SKUs. */
export interface StockRead {
  readonly sku: string
  readonly sentAtMs: number
  readonly endedAtMs: number
  /** Absent if the SKU was unknown. */
  readonly level?: StockLevel
}

/** The stock of all SKUs in one snapshot of the database. */
export interface StockSnapshot {
  readonly atMs: number
  readonly rows: readonly {
    readonly sku: string
    readonly available: number
    readonly reserved: number
    /** Sum of the reservations of orders. */
    readonly held: number
    /** Sum of all movements. */
    readonly moved: number
  }[]
}

export interface StockHistory {
  readonly changes: readonly StockChange[]
  readonly reads: readonly StockRead[]
  readonly snapshots: readonly StockSnapshot[]
}

/**
 * Row of the table of stock movements. `sequence` is drawn from the same sequence as the numbers of
 * outcomes and settlements.
 */
export type MovementRow = Pick<
  StockMoved,
  'movementID' | 'sequence' | 'sku' | 'kind' | 'delta' | 'available' | 'reserved' | 'reason' | 'idempotencyKey'
>
