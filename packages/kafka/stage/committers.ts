import type { Cluster } from '../cluster/cluster.ts'
import { KafkaError } from '../errors.ts'
import { commitOffsets } from '../group/committed-offsets.ts'
import type { InputOffset } from '../group/offset-entry.ts'
import { createProducer, type Producer } from '../producer/producer.ts'
import { type GroupIdentity, TransactionalProducer } from '../transaction/transactional-producer.ts'
import type { OutputSink } from './process-batch.ts'
import type { StageOptions } from './stage.ts'

/** How a batch's outputs and offsets become visible: together, or one after the other. */
export interface Committer {
  /** Before the first batch. */
  open(): Promise<void>
  begin(): OpenBatch
  /** After a failed commit, before anything else. */
  recover(): Promise<void>
  close(): Promise<void>
}

/** What comes out of a batch, from its first record to its commit. */
export interface OpenBatch extends OutputSink {
  readonly outputs: number
  commit(offsets: readonly InputOffset[], group: GroupIdentity): Promise<void>
}

/** A dead instance holds up readers for at most this long. */
const transactionTimeoutMs = 10_000
const stepTimeoutMs = 4_000

export function createCommitter(options: StageOptions, cluster: Cluster): Committer {
  if (options.delivery === 'at-least-once') return atLeastOnce(options, cluster)
  if (options.transactionalID === undefined) {
    throw new KafkaError('TRANSACTIONAL_ID_MISSING', 'an exactly-once stage needs a transactionalID', {
      retryable: false
    })
  }
  const producer = new TransactionalProducer(cluster, {
    transactionalID: options.transactionalID,
    transactionTimeoutMs,
    stepTimeoutMs
  })
  return {
    open: () => producer.init(),
    begin: () => {
      const outbox = producer.createOutbox()
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

function atLeastOnce(options: StageOptions, cluster: Cluster): Committer {
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
        // Written at once: should the batch be given up, what is written already is written again.
        add: async more => {
          if (more.length === 0) return
          producer ??= await createProducer(options.connection)
          outputs += more.length
          const sent = producer.send(more)
          sent.catch(() => {}) // met by the commit, if there is one
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
