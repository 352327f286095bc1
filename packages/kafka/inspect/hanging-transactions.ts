import type { TopicPartition } from '../group/assignment.ts'
import type { HeldPartition, OpenTransaction } from './transactions.ts'

/**
 * A transaction that holds up readers for longer than it should.
 *
 * - **open**: its coordinator knows it; it ends when its producer ends it, or by its time-out.
 * - **overdue**: its time-out is over and the coordinator has not ended it: something is wrong with that broker.
 * - **forgotten**: its coordinator knows of no open transaction of this producer, so nothing will ever end it (KIP-664).
 */
export interface HangingTransaction {
  readonly kind: 'open' | 'overdue' | 'forgotten'
  /** Undefined when it is forgotten: brokers remember the producer id only. */
  readonly transactionalID: string | undefined
  readonly producerID: bigint
  readonly epoch: number
  /** Of a forgotten one: when its producer wrote last. */
  readonly sinceMs: number
  readonly timeoutMs: number | undefined
  /** Those that it holds up, or will. */
  readonly partitions: readonly (TopicPartition & { readonly firstOffset?: bigint })[]
}

/** A coordinator looks for transactions whose time is over every ten seconds (`transaction.abort.timed.out...interval.ms`). */
const overdueGraceMs = 15_000

export interface ObservedTransactions {
  /** The others do not matter. */
  readonly partitions: readonly TopicPartition[]
  /** Seen before and after `open`: what is held by the same producer in both was held meanwhile. */
  readonly heldBefore: readonly HeldPartition[]
  readonly heldAfter: readonly HeldPartition[]
  readonly open: readonly OpenTransaction[]
  readonly nowMs: number
}

/** Those that are open for `afterMs` or longer, and all forgotten ones; the oldest first. */
export function findHangingTransactions(
  { partitions, heldBefore, heldAfter, open, nowMs }: ObservedTransactions,
  { afterMs }: { readonly afterMs: number }
): HangingTransaction[] {
  const known = new Set(open.map(({ producerID }) => producerID))
  const matter = new Set(partitions.map(({ topic, partition }) => `${topic}/${partition}`))
  const hanging = open
    .filter(({ startedAtMs }) => nowMs - startedAtMs >= afterMs)
    .filter(({ partitions }) => partitions.some(({ topic, partition }) => matter.has(`${topic}/${partition}`)))
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
