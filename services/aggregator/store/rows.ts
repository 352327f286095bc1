import { columnsOf } from '@orderly/postgres'
import type { Gap } from '../domain/counted-offsets.ts'
import type { Window } from '../domain/window.ts'

/** Columns of `aggregator.windows`. */
export const windowColumns = columnsOf<Window>({
  startMs: 'start_ms',
  orders: 'orders',
  late: 'late',
  revision: 'revision',
  isFinal: 'is_final'
})

/** Row of `aggregator.partitions`. */
export interface PartitionRow {
  readonly partition: number
  readonly topicID: string | null
  readonly next: number
  readonly gaps: readonly Gap[]
  readonly firstKeptWindowMs: number
}

export const partitionColumns = columnsOf<PartitionRow>({
  partition: 'partition',
  topicID: 'topic_id',
  next: 'next_offset',
  gaps: 'gaps',
  firstKeptWindowMs: 'first_kept_window_ms'
})
