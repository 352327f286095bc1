import { addOffset, type CountedOffsets, forgetOldGaps, isCounted, nothingCounted } from './counted-offsets.ts'
import { isLate, type WindowPolicy, windowStartOf } from './window.ts'

/** An order as a record of its topic. */
export interface OrderRecord {
  readonly partition: number
  readonly offset: number
  /** Topic id; absent if unknown, as in tests. */
  readonly topicID?: string | undefined
  /** Event time of the order. */
  readonly createdAtMs: number
  /** Timestamp of the record, which the broker sets (`orders.created` uses `LogAppendTime`). */
  readonly writtenAtMs: number
}

/** Stored state that counting a batch requires. */
export interface Counted {
  /** Counted offsets by partition; none if a partition is missing. */
  readonly offsets: ReadonlyMap<number, CountedOffsets>
  /** Start times of the final windows that the batch has orders for. */
  readonly finalWindows: ReadonlySet<number>
  readonly firstKeptWindowMs: number
}

export interface CountSummary {
  readonly inTime: number
  readonly late: number
  /** Orders whose window is no longer kept. */
  readonly unplaced: number
  /** Orders that were counted earlier. */
  readonly repeated: number
}

/** State changes of a batch. */
export interface Count {
  readonly summary: CountSummary
  /** Increments of windows, by start time. */
  readonly windows: ReadonlyMap<number, { readonly orders: number; readonly late: number }>
  /** New counted offsets of partitions, with the number of unplaced orders to add. */
  readonly partitions: ReadonlyMap<number, { readonly offsets: CountedOffsets; readonly unplaced: number }>
}

/** Counts each record once, even if later batches contain it again. */
export function countOrders(orders: readonly OrderRecord[], counted: Counted, policy: WindowPolicy): Count {
  const summary = { inTime: 0, late: 0, unplaced: 0, repeated: 0 }
  const windows = new Map<number, { orders: number; late: number }>()
  const partitions = new Map<number, { offsets: CountedOffsets; unplaced: number }>()

  for (const { partition, offset, createdAtMs, writtenAtMs } of orders) {
    const state = partitions.get(partition) ?? {
      offsets: counted.offsets.get(partition) ?? nothingCounted,
      unplaced: 0
    }
    if (isCounted(state.offsets, offset)) {
      summary.repeated++
      continue
    }
    state.offsets = addOffset(state.offsets, offset)
    partitions.set(partition, state)

    const startMs = windowStartOf(createdAtMs)
    if (startMs < counted.firstKeptWindowMs) {
      summary.unplaced++
      state.unplaced++
      continue
    }
    const window = windows.get(startMs) ?? { orders: 0, late: 0 }
    windows.set(startMs, window)
    if (counted.finalWindows.has(startMs) || isLate(startMs, writtenAtMs, policy)) {
      summary.late++
      window.late++
    } else {
      summary.inTime++
      window.orders++
    }
  }
  for (const state of partitions.values()) state.offsets = forgetOldGaps(state.offsets)
  return { summary, windows, partitions }
}
