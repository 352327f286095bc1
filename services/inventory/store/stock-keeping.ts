import type { Adjustment } from '../domain/adjust-stock.ts'
import type { StockCount } from '../domain/set-stock.ts'
import type { StockLevel } from './stock-store.ts'

/** Who changes stock by hand, and why. */
export interface MovementCause {
  readonly by: string
  readonly reason?: string | undefined
}

export interface StockMovement {
  readonly id: number
  readonly sku: string
  /** `count`: set by a count of the shelf. */
  readonly kind: 'opening' | 'seed' | 'set' | 'adjust' | 'count'
  /** Pieces put in; negative: taken out. */
  readonly delta: number
  /** Behind the movement. */
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
  | { readonly kind: 'other-body' }

export type SetResult =
  | { readonly kind: 'set'; readonly levels: readonly StockLevel[] }
  /** Some SKUs were counted below their reserved pieces: they are named with their levels, and no SKU was changed. */
  | { readonly kind: 'below-reserved'; readonly levels: readonly StockLevel[] }

/**
 * Stock as operators keep it. Whatever is put in or taken out is a movement, written in the transaction that does it. Each method
 * is atomic, also beside reservations, and throws StoreUnavailableError when the database cannot answer: whether it did it is then unknown.
 */
export interface StockKeeping {
  /** Undefined: the SKU is not known. */
  level(sku: string): Promise<StockLevel | undefined>
  /** Sets the stock of all the SKUs, new ones as well as known ones, or of none. @returns their levels then, by SKU */
  set(counts: ReadonlyMap<string, StockCount>, cause: MovementCause): Promise<SetResult>
  /** Once for each key; what was refused is not remembered. */
  adjust(request: AdjustmentRequest, cause: MovementCause): Promise<AdjustmentResult>
  /** By SKU, from the one behind `after` on. */
  page(options: { readonly after: string; readonly limit: number }): Promise<StockLevel[]>
  /** Of a SKU, the newest first, from the one before `before` on. */
  movements(sku: string, options: { readonly before: number; readonly limit: number }): Promise<StockMovement[]>
}
