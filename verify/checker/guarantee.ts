import type { History, RecordedRecord } from '../history/history.ts'
import type { Evidence } from './evidence.ts'

/** One thing that must not be, and where to look in the history. */
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

/** A promise of the design, by its number there, and how to find in a history that it was broken. */
export interface Guarantee {
  readonly number: number
  readonly promise: string
  /** For those that need something in the run that not every run has. */
  appliesTo?(history: History): boolean
  check(evidence: Evidence): Finding[]
}
