import { addOffset, type CountedOffsets, forgetOldGaps, isCounted, nothingCounted } from './counted-offsets.ts'
import { isLate, type WindowPolicy, windowStartOf } from './window.ts'

/** An order as a record of its topic. */
export interface OrderRecord {
  readonly partition: number
  readonly offset: number
  /** Id of the topic; absent where it is unknown, as in tests. */
  readonly topicID?: string | undefined
  /** Event time. */
  readonly createdAtMs: number
  /** When the broker wrote the record: the time stamp of `orders.created`, which is the broker's. */
  readonly writtenAtMs: number
}

/** What has to be known to count a batch. */
export interface Counted {
  /** By partition; one that is missing has nothing counted. */
  readonly offsets: ReadonlyMap<number, CountedOffsets>
  /** Those of the batch's windows that are final. */
  readonly finalWindows: ReadonlySet<number>
  readonly firstKeptWindowMs: number
}

export interface CountSummary {
  readonly inTime: number
  readonly late: number
  /** Their window is no longer kept. */
  readonly unplaced: number
  /** Counted before. */
  readonly repeated: number
}

/** What a batch changes. */
export interface Count {
  readonly summary: CountSummary
  /** What to add to windows, by their start. */
  readonly windows: ReadonlyMap<number, { readonly orders: number; readonly late: number }>
  /** New states of partitions, with how many unplaced orders to add. */
  readonly partitions: ReadonlyMap<number, { readonly offsets: CountedOffsets; readonly unplaced: number }>
}

/** Counts each record once, however often it comes, in whatever company. */
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
