import { partitionKey, type TopicPartition } from '../types.ts'
import type { HeldPartition, OpenTransaction } from './transactions.ts'

/**
 * A transaction that blocks readers for longer than it should.
 *
 * - **open**: known to its coordinator; it ends when its producer ends it, or at its timeout.
 * - **overdue**: past its timeout, but not ended by the coordinator, which indicates a faulty
 *   broker.
 * - **forgotten**: its coordinator has no open transaction of this producer, so nothing will ever
 *   end it (KIP-664).
 */
export interface HangingTransaction {
  readonly kind: 'open' | 'overdue' | 'forgotten'
  /**
   * Transactional id; undefined for a forgotten transaction, because brokers remember only its
   * producer id.
   */
  readonly transactionalID: string | undefined
  readonly producerID: bigint
  readonly epoch: number
  /** Start of the transaction; for a forgotten one, the time of its producer's last write. */
  readonly sinceMs: number
  readonly timeoutMs: number | undefined
  /** Partitions that the transaction blocks, or will block. */
  readonly partitions: readonly (TopicPartition & { readonly firstOffset?: bigint })[]
}

/**
 * Tolerance after a timeout. A coordinator looks for expired transactions every ten seconds
 * (`transaction.abort.timed.out...interval.ms`).
 */
const overdueGraceMs = 15_000

/** Observations from which `findHangingTransactions` finds transactions. */
export interface ObservedTransactions {
  /** Partitions to consider; transactions elsewhere are ignored. */
  readonly partitions: readonly TopicPartition[]
  /**
   * Partitions with open transactions, observed before and after `open`. An entry with the same
   * producer in both was blocked in between.
   */
  readonly heldBefore: readonly HeldPartition[]
  readonly heldAfter: readonly HeldPartition[]
  readonly open: readonly OpenTransaction[]
  readonly nowMs: number
}

/**
 * Returns the transactions that are open for `afterMs` or longer, and all forgotten ones; the
 * oldest first.
 */
export function findHangingTransactions(
  { partitions, heldBefore, heldAfter, open, nowMs }: ObservedTransactions,
  { afterMs }: { readonly afterMs: number }
): HangingTransaction[] {
  const known = new Set(open.map(({ producerID }) => producerID))
  const matter = new Set(partitions.map(partitionKey))
  const hanging = open
    .filter(({ startedAtMs }) => nowMs - startedAtMs >= afterMs)
    .filter(({ partitions }) => partitions.some(own => matter.has(partitionKey(own))))
    .map(({ startedAtMs, timeoutMs, ...own }): HangingTransaction => {
      const isOverdue = nowMs - startedAtMs > timeoutMs + overdueGraceMs
      const { transactionalID, producerID, epoch, partitions } = own
      const kind = isOverdue ? 'overdue' : 'open'
      return { kind, transactionalID, producerID, epoch, sinceMs: startedAtMs, timeoutMs, partitions }
    })
  const forgotten = new Map<string, HangingTransaction>()
  for (const { topic, partition, holders } of heldAfter) {
    const before = heldBefore.find(held => held.topic === topic && held.partition === partition)
    for (const { producerID, epoch, firstOffset, lastWrittenAtMs } of holders) {
      const wasHeld = before?.holders.some(one => one.producerID === producerID && one.firstOffset === firstOffset)
      if (known.has(producerID) || !wasHeld) continue
      const other = forgotten.get(`${producerID}/${epoch}`)
      forgotten.set(`${producerID}/${epoch}`, {
        kind: 'forgotten',
        transactionalID: undefined,
        producerID,
        epoch,
        sinceMs: Math.min(lastWrittenAtMs, other?.sinceMs ?? lastWrittenAtMs),
        timeoutMs: undefined,
        partitions: [...(other?.partitions ?? []), { topic, partition, firstOffset }]
      })
    }
  }
  return [...hanging, ...forgotten.values()].toSorted((a, b) => a.sinceMs - b.sinceMs)
}
