import { countOrders } from '../../domain/count-orders.ts'
import type { CountedOffsets } from '../../domain/counted-offsets.ts'
import { firstKeptWindow, lastFinalWindow, type Window, type WindowPolicy } from '../../domain/window.ts'
import type { RateStore } from '../rate-store.ts'

/** Creates a store in memory, for tests. */
export function createMemoryStore(policy: WindowPolicy): RateStore {
  const offsets = new Map<number, CountedOffsets>()
  const topicIDs = new Map<number, string | undefined>()
  const completeUntil = new Map<number, number | undefined>()
  const windows = new Map<number, Window>()
  const published = new Map<number, number>()
  let firstKeptWindowMs = 0

  const sorted = () => [...windows.values()].sort((a, b) => a.startMs - b.startMs)
  const isPublished = ({ startMs, revision }: Window) => (published.get(startMs) ?? 0) >= revision

  const allCompleteUntil = () => {
    const known = [...completeUntil.values()].filter(untilMs => untilMs !== undefined)
    return known.length === 0 || known.length < completeUntil.size ? undefined : Math.min(...known)
  }

  return {
    async count(orders) {
      for (const { partition, topicID } of orders) {
        if (topicIDs.get(partition) !== topicID) offsets.delete(partition)
        topicIDs.set(partition, topicID)
      }
      const finalWindows = new Set(sorted().flatMap(({ isFinal, startMs }) => (isFinal ? [startMs] : [])))
      const count = countOrders(orders, { offsets, finalWindows, firstKeptWindowMs }, policy)
      for (const [partition, state] of count.partitions) offsets.set(partition, state.offsets)
      for (const [startMs, more] of count.windows) {
        const window = windows.get(startMs) ?? { startMs, orders: 0, late: 0, revision: 0, isFinal: false }
        const { orders, late, revision } = window
        windows.set(startMs, {
          ...window,
          orders: orders + more.orders,
          late: late + more.late,
          revision: revision + more.orders + more.late
        })
      }
      return count.summary
    },

    async noteComplete(partitionCount, partitions) {
      for (let partition = 0; partition < partitionCount; partition++)
        completeUntil.set(partition, completeUntil.get(partition))
      for (const { partition, completeUntilMs } of partitions)
        completeUntil.set(partition, Math.max(completeUntilMs, completeUntil.get(partition) ?? 0))
    },

    async makeFinal() {
      const completeUntilMs = allCompleteUntil()
      if (completeUntilMs === undefined) return undefined
      const lastFinalMs = lastFinalWindow(completeUntilMs, policy)
      for (const window of sorted()) {
        if (window.isFinal || window.startMs > lastFinalMs) continue
        windows.set(window.startMs, { ...window, isFinal: true, revision: window.revision + 1 })
      }
      firstKeptWindowMs = Math.max(firstKeptWindowMs, firstKeptWindow(completeUntilMs, policy))
      for (const window of sorted()) {
        if (window.startMs < firstKeptWindowMs && isPublished(window)) windows.delete(window.startMs)
      }
      return completeUntilMs
    },

    async unpublished(limit) {
      return sorted()
        .filter(window => !isPublished(window))
        .slice(0, limit)
    },

    async markPublished(marked) {
      for (const { startMs, revision } of marked)
        published.set(startMs, Math.max(revision, published.get(startMs) ?? 0))
    },

    async rates(fromMs, toMs) {
      return {
        completeUntilMs: allCompleteUntil(),
        windows: sorted().filter(({ startMs }) => startMs >= fromMs && startMs <= toMs)
      }
    }
  }
}
