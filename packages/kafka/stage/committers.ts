import type { Cluster } from '../cluster/cluster.ts'
import { commitOffsets } from '../consumer-group/committed-offsets.ts'
import type { InputOffset } from '../consumer-group/offset-entry.ts'
import { KafkaError } from '../errors.ts'
import { createProducer, type Producer } from '../producer/producer.ts'
import { TransactionalProducer } from '../transaction/transactional-producer.ts'
import type { GroupIdentity } from '../types.ts'
import type { OutputSink } from './process-batch.ts'
import type { StageOptions } from './stage.ts'

/**
 * Strategy for making the outputs and offsets of a batch visible: in one transaction, or one after
 * the other.
 */
export interface Committer {
  /** Prepares the committer; called before the first batch. */
  open(): Promise<void>
  begin(): OpenBatch
  /** Restores a usable state; called first after a failed commit. */
  recover(): Promise<void>
  close(): Promise<void>
}

/** Outputs of a batch, from its first record to its commit. */
export interface OpenBatch extends OutputSink {
  readonly outputs: number
  commit(offsets: readonly InputOffset[], group: GroupIdentity): Promise<void>
}

/** Maximum time for which the transaction of a dead instance blocks readers. */
const transactionTimeoutMs = 10_000
const stepTimeoutMs = 4_000

/** @param aborted aborts when outputs that are being written must not be waited for any more */
export function createCommitter(options: StageOptions, cluster: Cluster, aborted: AbortSignal): Committer {
  if (options.delivery === 'at-least-once') return atLeastOnce(options, cluster, aborted)
  if (options.transactionalID === undefined) {
    throw new KafkaError('MISSING_TRANSACTIONAL_ID', 'an exactly-once stage needs a transactionalID', {
      retryable: false
    })
  }
  const producer = new TransactionalProducer(cluster, {
    transactionalID: options.transactionalID,
    transactionTimeoutMs,
    stepTimeoutMs,
    ...(options.compression && { compression: options.compression })
  })
  return {
    open: () => producer.init(),
    begin: () => {
      const outbox = producer.createTransactionBuffer()
      return {
        get outputs() {
          return outbox.records
        },
        add: outputs => outbox.add(outputs),
        commit: (offsets, group) => producer.commit(outbox, offsets, group)
      }
    },
    recover: () => producer.recover(),
    close: async () => {}
  }
}

function atLeastOnce(
  { connection, compression = 'none' }: StageOptions,
  cluster: Cluster,
  signal: AbortSignal
): Committer {
  let producer: Producer | undefined
  return {
    open: async () => {},
    begin: () => {
      const sending: Promise<void>[] = []
      let outputs = 0
      return {
        get outputs() {
          return outputs
        },
        // Sends immediately. If the batch is aborted, outputs that are already written are written
        // again.
        add: async more => {
          if (more.length === 0) return
          producer ??= await createProducer(connection, { compression, signal })
          outputs += more.length
          const sent = producer.send(more)
          sent.catch(() => {}) // avoids an unhandled rejection: `commit` awaits it, if called
          sending.push(sent)
        },
        commit: async (offsets, group) => {
          await Promise.all(sending)
          await commitOffsets(cluster, group, offsets)
        }
      }
    },
    recover: async () => {},
    close: async () => producer?.close()
  }
}
