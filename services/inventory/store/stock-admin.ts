import type { Adjustment, StockCount } from '../domain/stock-count.ts'
import type { StockLevel } from './stock-store.ts'

/** Operator and reason of a movement. */
export interface MovementCause {
  readonly by: string
  readonly reason?: string | undefined
}

export interface StockMovement {
  readonly id: number
  readonly sku: string
  /** `count` is a movement that set `onHand`, `set` one that set `available`. */
  readonly kind: 'opening' | 'seed' | 'set' | 'adjust' | 'count'
  /** Pieces added; negative if removed. */
  readonly delta: number
  /** Available pieces after the movement. */
  readonly available: number
  readonly reserved: number
  readonly by: string
  readonly reason: string | null
  readonly movedAtMs: number
  readonly idempotencyKey: string | null
}

export interface AdjustmentRequest {
  readonly sku: string
  readonly delta: number
  readonly key: { readonly caller: string; readonly key: string }
}

export type AdjustmentResult =
  | { readonly kind: 'adjusted'; readonly level: StockLevel; readonly isReplay: boolean }
  | Exclude<Adjustment, { kind: 'adjusted' }>
  /** The key belongs to another adjustment. */
  | { readonly kind: 'key-conflict' }

export type SetResult =
  | { readonly kind: 'set'; readonly levels: readonly StockLevel[] }
  /**
   * For some SKUs, given with their levels, `onHand` was below the reserved pieces; no SKU was
   * changed.
   */
  | { readonly kind: 'below-reserved'; readonly levels: readonly StockLevel[] }

/**
 * Stock operations for operators. Each change records a movement in the same transaction. Each
 * method is atomic, including concurrent reservations. It throws StoreUnavailableError if the
 * database is unavailable; it is then unknown whether the change was made.
 */
export interface StockAdmin {
  /** Returns the stock of a SKU; undefined for an unknown SKU. */
  level(sku: string): Promise<StockLevel | undefined>
  /**
   * Sets the stock of new and existing SKUs, either all or none.
   * @returns the resulting levels, sorted by SKU
   */
  set(counts: ReadonlyMap<string, StockCount>, cause: MovementCause): Promise<SetResult>
  /** Applies an adjustment once per key. Refused adjustments are not stored. */
  adjust(request: AdjustmentRequest, cause: MovementCause): Promise<AdjustmentResult>
  /** Returns a page of levels, sorted by SKU, that begins after the SKU `after`. */
  page(options: { readonly after: string; readonly limit: number }): Promise<StockLevel[]>
  /** Returns movements of a SKU with ids below `before`, newest first. */
  movements(sku: string, options: { readonly before: number; readonly limit: number }): Promise<StockMovement[]>
}
