import type { History, RecordedRecord } from '../history/history.ts'
import type { Evidence } from './evidence.ts'

/** One violation of a guarantee, with references into the history. */
export interface Finding {
  readonly summary: string
  readonly orderID?: string | undefined
  readonly requestID?: string | undefined
  readonly userID?: string | undefined
  readonly sku?: string | undefined
  readonly pid?: number | undefined
  readonly records?: readonly RecordedRecord[] | undefined
  readonly atMs?: number | undefined
}

/**
 * A guarantee with its number in the design, and the checker that finds violations in a history.
 */
export interface Guarantee {
  readonly number: number
  readonly promise: string
  /** Returns false if the run lacked a component that this guarantee needs. */
  appliesTo?(history: History): boolean
  check(evidence: Evidence): Finding[]
}
