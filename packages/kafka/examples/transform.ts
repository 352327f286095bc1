/**
 * Example: reads payments and writes a receipt for each, exactly once.
 *
 * The receipts of a batch and the offsets of its payments are committed in one Kafka transaction.
 * After a crash at any moment, a `read_committed` consumer still sees one receipt for each payment.
 */
import {
  jsonCodec,
  type KafkaConnection,
  type Logger,
  type RunningStage,
  runStage,
  type Stage,
  type Topic
} from '@orderly/kafka'

export interface Payment {
  readonly id: string
  readonly cents: number
}

export interface Receipt {
  readonly paymentID: string
  readonly text: string
}

export const payments: Topic<Payment> = {
  name: 'transform.payments',
  eventType: 'Payment',
  codec: jsonCodec<Payment>()
}

export const receipts: Topic<Receipt> = {
  name: 'transform.receipts',
  eventType: 'Receipt',
  codec: jsonCodec<Receipt>()
}

export const transform: Stage<Payment> = {
  name: 'transform',
  group: 'transform',
  inputs: [payments],
  // May be called again with the same records, and must then return the same outputs.
  async process(records) {
    return records.map(({ key, event }) => {
      const receipt = { paymentID: event.id, text: `Thank you for ${(event.cents / 100).toFixed(2)} EUR.` }
      return { topic: receipts.name, key, value: receipts.codec.encode(receipt), headers: {} }
    })
  }
}

export function startTransform(connection: KafkaConnection, logger: Logger): RunningStage {
  return runStage(transform, {
    connection,
    // Each instance that runs at the same time has other ids, and keeps them when it restarts.
    transactionalID: 'transform-1',
    instanceID: 'transform-1',
    // This stage calls nothing that could fail temporarily.
    isTransient: () => false,
    logger
  })
}
