import type { HangingTransaction, Observation, OpenTransaction } from './observation.ts'

/**
 * Finds partitions that are held by a forgotten transaction: its coordinator does not know it, so
 * it never ends (KIP-664).
 *
 * Brokers name the producer that holds a partition only to clients that may read the topic. The
 * last stable offset suffices: while it does not move, the same transaction holds it, and a
 * transaction that began later is not the holder.
 */
export interface HeldPartitions {
  /**
   * Returns a forgotten transaction for each partition that is held for `afterMs` or longer
   * although no known transaction can be the holder.
   */
  observe(seen: Pick<Observation, 'atMs' | 'partitions' | 'openTransactions'>): HangingTransaction[]
}

/** Maximum difference between the clocks of a coordinator and the monitor. */
const clockSkewMs = 10_000

interface Hold {
  readonly stableOffset: bigint
  readonly sinceMs: number
}

export function createHeldPartitions({ afterMs }: { readonly afterMs: number }): HeldPartitions {
  let holds = new Map<string, Hold>()
  return {
    observe({ atMs, partitions, openTransactions }) {
      const former = holds
      holds = new Map()
      const forgotten: HangingTransaction[] = []
      for (const { topic, partition, stableOffset, endOffset } of partitions) {
        if (stableOffset >= endOffset) continue
        const key = `${topic}/${partition}`
        const before = former.get(key)
        const same = before?.stableOffset === stableOffset ? before : { stableOffset, sinceMs: atMs }
        const isKnown = openTransactions.some(own => canHold(own, topic, partition, same.sinceMs))
        const hold = isKnown ? { stableOffset, sinceMs: atMs } : same
        holds.set(key, hold)
        if (atMs - hold.sinceMs >= afterMs) forgotten.push({ kind: 'forgotten', partitions: [{ topic }] })
      }
      return forgotten
    }
  }
}

function canHold(
  { startedAtMs, partitions }: OpenTransaction,
  topic: string,
  partition: number,
  heldSinceMs: number
): boolean {
  return (
    startedAtMs <= heldSinceMs + clockSkewMs &&
    partitions.some(own => own.topic === topic && own.partition === partition)
  )
}
