/**
 * Example: a consume–process–produce loop of kafkajs, ported.
 *
 * With kafkajs 2 the loop is as follows. It still has to handle fencing, poison records and
 * rebalances:
 *
 * ```js
 * const kafka = new Kafka({ clientId: 'prices', brokers })
 * const producer = kafka.producer({ transactionalId: 'prices-1', maxInFlightRequests: 1, idempotent: true })
 * const consumer = kafka.consumer({ groupId: 'prices', readUncommitted: false })
 * await producer.connect()
 * await consumer.connect()
 * await consumer.subscribe({ topics: ['offers'], fromBeginning: true })
 * await consumer.run({
 *   autoCommit: false,
 *   eachBatch: async ({ batch, isStale }) => {
 *     const transaction = await producer.transaction()
 *     try {
 *       const messages = batch.messages.map(({ key, value }) => ({ key, value: toPrice(value) }))
 *       await transaction.send({ topic: 'prices', messages })
 *       const offset = String(BigInt(batch.lastOffset()) + 1n)
 *       const topics = [{ topic: batch.topic, partitions: [{ partition: batch.partition, offset }] }]
 *       await transaction.sendOffsets({ consumerGroupId: 'prices', topics })
 *       await transaction.commit()
 *     } catch (error) {
 *       await transaction.abort()
 *       throw error
 *     }
 *   }
 * })
 * ```
 *
 * | kafkajs | here |
 * | --- | --- |
 * | `new Kafka`, `ssl`, `sasl` | `KafkaConnection`, `tls`, `sasl` |
 * | `consumer.run({ eachBatch })`, `eachMessage` | `process`, with a batch of all partitions |
 * | `producer.transaction`, `sendOffsets`, `commit`, `abort` | done by the stage |
 * | `consumer.disconnect` | `stop` of the running stage |
 * | `consumer.on(CRASH)` | `finished` |
 * | an exception is retried, then crashes the consumer | `isTransient` decides: retry or dead letter |
 * | `producer.send` outside of a transaction | `createProducer`, `send` |
 *
 * Groups keep their committed offsets: stop the old consumer, then start the stage with the same
 * `group`. Keys are hashed as in Java and in kafkajs 2 (`DefaultPartitioner`), so they stay in their
 * partitions.
 */
import {
  jsonCodec,
  type KafkaConnection,
  type Logger,
  type RunningStage,
  runStage,
  stringCodec,
  type Topic
} from '@orderly/kafka'

export interface Offer {
  readonly article: string
  readonly cents: number
}

export const offers: Topic<Offer> = { name: 'porting.offers', eventType: 'Offer', codec: jsonCodec<Offer>() }
export const pricesTopic = 'porting.prices'

export function startPrices(connection: KafkaConnection, logger: Logger): RunningStage {
  return runStage(
    {
      name: 'prices',
      group: 'porting-prices',
      inputs: [offers],
      process: async records =>
        records.map(({ key, event }) => {
          return { topic: pricesTopic, key, value: stringCodec.encode(`${event.article} ${event.cents}`), headers: {} }
        })
    },
    { connection, transactionalID: 'prices-1', instanceID: 'prices-1', isTransient: () => false, logger }
  )
}
