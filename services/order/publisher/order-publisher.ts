import {
  acceptanceReadMs,
  acceptanceTopic,
  changeName,
  connectTopics,
  createSchemaRegistry,
  type OrderChangeRequested,
  type OrderCreated,
  pausedUntilMsOf,
  type Topics,
  toRecord
} from '@orderly/contracts'
import {
  checkConnection,
  createProducer,
  createReservedWriter,
  createTopicReader,
  type KafkaConnection,
  KafkaError,
  type Producer
} from '@orderly/kafka'
import {
  type Logger,
  registryAddress,
  type ServiceContext,
  traceProducer,
  traceReservedWriter
} from '@orderly/service-kit'
import { Histogram, type Registry } from 'prom-client'
import type { OrderConfig } from '../config.ts'
import type { KeyStore } from '../store/key-state.ts'
import type { OrderStore } from '../store/order-store.ts'
import { createIdempotentPlacement, type PlaceIdempotently } from './idempotent-placement.ts'

/**
 * Writes orders and change requests to their topics. Each function resolves when all in-sync
 * replicas have the record. Concurrent calls share requests.
 * @throws KafkaError `ACCEPTANCE_PAUSED` or `PRODUCER_QUEUE_FULL` (not written), `DELIVERY_TIMEOUT`
 * (outcome unknown)
 */
export interface OrderPublisher {
  readonly publishOrder: (order: OrderCreated, traceparent: string, caller: string | undefined) => Promise<void>
  readonly placeIdempotently: PlaceIdempotently
  /**
   * Repeating a change request with the same id has no further effect. `caller` is the one that
   * placed the order, which may differ from the one that requests the change.
   */
  readonly publishChange: (
    change: OrderChangeRequested,
    traceparent: string,
    caller: string | undefined
  ) => Promise<void>
}

export interface OrderPublisherOptions {
  readonly producer: Pick<Producer, 'send'>
  readonly topics: Pick<Topics, 'ordersCreated' | 'ordersChanges'>
  readonly placeIdempotently: PlaceIdempotently
  readonly acceptance: Pick<Acceptance, 'check'>
  readonly metrics: Registry
}

export function createOrderPublisher(options: OrderPublisherOptions): OrderPublisher {
  const { producer, acceptance, metrics } = options
  const { ordersCreated, ordersChanges } = options.topics
  const duration = new Histogram({
    name: 'orderly_order_publish_duration_seconds',
    help: 'Time from handing an order to the producer to its acknowledgement by all in-sync replicas.',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [metrics]
  })
  return {
    async publishOrder(order, traceparent, caller) {
      acceptance.check()
      const startMs = performance.now()
      await producer.send([toRecord(ordersCreated, order, traceparent, { caller })])
      duration.observe((performance.now() - startMs) / 1_000)
    },
    async placeIdempotently(command, context) {
      acceptance.check()
      return options.placeIdempotently(command, context)
    },
    async publishChange(change, traceparent, caller) {
      acceptance.check()
      await producer.send([toRecord(ordersChanges, change, traceparent, { about: changeName(change), caller })])
    }
  }
}

export interface OpenPublisherOptions {
  readonly connection: KafkaConnection
  readonly keys: KeyStore
  readonly orders: Pick<OrderStore, 'find'>
}

/** Connects the topics and producers, and returns the publisher on them. */
export async function openPublisher(
  { config, logger, metrics, spans, onStop, ready }: ServiceContext<OrderConfig>,
  { connection, keys, orders }: OpenPublisherOptions
): Promise<OrderPublisher> {
  const deliveryTimeoutMs = config.ORDER_DELIVERY_TIMEOUT_MS
  const topics = await connectTopics(createSchemaRegistry(registryAddress(config)), {
    ordersCreated: config.ORDER_CREATED_VERSION,
    ordersChanges: 'write'
  })
  const producer = await createProducer(connection, { deliveryTimeoutMs, maxBufferedRecords: config.ORDER_MAX_PENDING })
  onStop('producer', () => producer.close())
  const writer = createReservedWriter(connection, { deliveryTimeoutMs })
  onStop('reserved writer', () => writer.close())
  const acceptance = watchAcceptance(connection, logger)
  onStop('acceptance', () => acceptance.stop())
  // Kafka does not gate readiness: without it orders get 503, but reads and streams still work.
  ready('kafka', () => checkConnection(connection).then(() => true), 'never')
  const placeIdempotently = createIdempotentPlacement({
    writer: traceReservedWriter(writer, spans),
    ordersCreated: topics.ordersCreated,
    keys,
    orders,
    deliveryTimeoutMs,
    maxPending: config.ORDER_MAX_PENDING,
    logger
  })
  return createOrderPublisher({
    producer: traceProducer(producer, spans),
    topics,
    placeIdempotently,
    acceptance,
    metrics
  })
}

interface Acceptance {
  /** @throws KafkaError `ACCEPTANCE_PAUSED`, which is answered with 503, while it is paused */
  check(): void
  stop(): Promise<void>
}

/**
 * Polls pauses of acceptance (contracts/acceptance.ts). While the topic is unreadable, the last
 * known pause applies.
 */
function watchAcceptance(connection: KafkaConnection, logger: Pick<Logger, 'info' | 'warn'>): Acceptance {
  const reader = createTopicReader(connection, [acceptanceTopic])
  const stopping = new AbortController()
  let pausedUntilMs = 0
  let isUnreadable = false

  async function read(): Promise<void> {
    try {
      let newestMs = pausedUntilMs
      await reader.readOn(({ value }) => {
        newestMs = pausedUntilMsOf(value)
      }, stopping.signal)
      if (newestMs !== pausedUntilMs) {
        const change = newestMs > Date.now() ? 'order acceptance paused' : 'order acceptance resumed'
        logger.info({ pausedUntilMs: newestMs }, change)
      }
      pausedUntilMs = newestMs
      isUnreadable = false
    } catch (error) {
      if (stopping.signal.aborted || isUnreadable) return
      isUnreadable = true
      const fields = { event: 'acceptance_unreadable', error, topic: acceptanceTopic }
      logger.warn(fields, 'failed to read pauses of acceptance, keeping the last known pause')
    }
  }

  let isReading = false
  const readOn = () => {
    if (isReading) return
    isReading = true
    void read().finally(() => {
      isReading = false
    })
  }
  readOn()
  const timer = setInterval(readOn, acceptanceReadMs)
  return {
    check() {
      if (Date.now() >= pausedUntilMs) return
      throw new KafkaError('ACCEPTANCE_PAUSED', 'acceptance of orders is paused by an operator', { retryable: true })
    },
    async stop() {
      clearInterval(timer)
      stopping.abort()
      await reader.close() // ends a read that waits for a broker
    }
  }
}
