import { createProducer, createTopics, deadLetterTopicConfig, type KafkaConnection } from '@orderly/kafka'
import { isTransientFailure, retryTransient } from '@orderly/postgres'
import { type Config, ConfigError, type ServiceContext, traceProducer } from '@orderly/service-kit'
import type { configSchema } from '../config.ts'
import type { AcceptedNotification, DeliveryStore } from '../store/delivery-store.ts'
import type { StoredEndpoint } from '../store/endpoints.ts'
import { type DeliveryLoop, startDelivering, wakeAll } from './delivery-loop.ts'
import { createResultWriter, notificationsDeadLetterTopic, toDeadLetters } from './delivery-results.ts'
import { startMaintenance } from './maintenance.ts'
import { measure, traceDeliveries } from './measure.ts'
import type { Sink } from './sink.ts'
import { createSinks } from './sinks.ts'
import { startTargets } from './targets.ts'
import { createStoredWebhook } from './webhook/webhook.ts'

type NotificationService = Pick<
  ServiceContext<Config<(typeof configSchema)['properties']>>,
  'config' | 'logger' | 'metrics' | 'spans' | 'onStop'
>

export interface DeliveryOptions {
  readonly sinks: readonly Sink[]
  readonly deliveryStore: DeliveryStore
  readonly readEndpoints: () => Promise<readonly StoredEndpoint[]>
  readonly connection: KafkaConnection
}

export interface Deliveries {
  /** Stores the deliveries of notifications and the positions together, and starts to send them. */
  accept(
    notifications: readonly AcceptedNotification[],
    positions: Parameters<DeliveryStore['accept']>[2]
  ): Promise<void>
}

const dayMs = 24 * 60 * 60_000
const maintenanceMs = 60_000
/** Interval at which a delivery loop polls without being woken, in case a wake-up was missed. */
const unwokenMs = 60_000

/** Creates the configured sinks. @throws ConfigError if a setting of a chosen sink is invalid */
export function openSinks({ config, logger, onStop }: NotificationService): readonly Sink[] {
  const leaseMs = config.NOTIFICATION_LEASE_MS
  const sinks = createSinks(config, { logger, locale: config.NOTIFICATION_LOCALE })
  for (const sink of sinks) onStop(sink.target, () => sink.close())
  if (sinks.every(sink => sink.timeoutMs * 2 <= leaseMs)) return sinks
  throw new ConfigError([
    `NOTIFICATION_LEASE_MS is ${leaseMs}: set it to at least twice the longest timeout (SMTP_TIMEOUT_MS, WEBHOOK_TIMEOUT_MS)`
  ])
}

/**
 * Starts everything between the delivery table and the targets: a loop for each target, the writer
 * of their results, and the maintenance of the table.
 */
export async function startDelivery(service: NotificationService, options: DeliveryOptions): Promise<Deliveries> {
  const { config, logger, metrics, spans, onStop } = service
  const { sinks, deliveryStore, readEndpoints } = options
  const instanceID = config.INSTANCE_ID
  const leaseMs = config.NOTIFICATION_LEASE_MS
  await releaseFormerClaims(service, deliveryStore)
  const producer = await openDeadLetters(service, options.connection)

  const measures = measure(metrics, deliveryStore)
  const loops = new Map<string, DeliveryLoop>()
  const results = createResultWriter({
    deliveryStore,
    logger,
    exhaust: attempted => producer.send(toDeadLetters(attempted)),
    retry: work => retryTransient(work, { isTransient: isTransientFailure, attempts: 8 }),
    onSaved(attempted, dueAgain) {
      measures.saved(attempted)
      wakeAll(loops, dueAgain)
    }
  })
  onStop('results', () => results.drained())

  const policy = retryPolicyOf(config)
  const observer = traceDeliveries(measures, spans)
  const common = { deliveryStore, results, policy, instanceID, leaseMs, logger }
  const isProd = config.ORDERLY_PROFILE === 'prod'
  const targets = await startTargets({
    ...{ configured: sinks, loops, deliveryStore, readEndpoints, logger },
    createSink: endpoint => createStoredWebhook(endpoint, config, { isProd, maxTimeoutMs: Math.floor(leaseMs / 2) }),
    startLoop: sink => startDelivering(sink, { ...common, pollMs: unwokenMs, observer }),
    refreshMs: config.NOTIFICATION_ENDPOINTS_REFRESH_MS,
    pollMs: config.NOTIFICATION_POLL_MS
  })
  onStop('deliveries', () => targets.stop(config.SHUTDOWN_DEADLINE_MS / 2))
  const retentionMs = config.NOTIFICATION_RETENTION_DAYS * dayMs
  const maintenance = startMaintenance({ ...common, targets: targets.names, retentionMs, everyMs: maintenanceMs })
  onStop('maintenance', () => maintenance.stop())

  return {
    async accept(notifications, positions) {
      const accepted = await deliveryStore.accept(notifications, targets.recipients(), positions)
      measures.duplicates(accepted.duplicates)
      wakeAll(loops, accepted.targets)
    }
  }
}

async function releaseFormerClaims({ config, logger }: NotificationService, store: DeliveryStore): Promise<void> {
  const released = await store.releaseClaims(config.INSTANCE_ID)
  if (released === 0) return
  const event = 'deliveries_released'
  logger.warn({ event, lanes: released }, 'released deliveries claimed by a previous run of this instance')
}

/** Creates the dead-letter topic if it is missing, and opens its producer. */
async function openDeadLetters({ logger, spans, onStop }: NotificationService, connection: KafkaConnection) {
  const topic = notificationsDeadLetterTopic
  await createTopics(connection, [
    { name: topic, partitions: -1, replicationFactor: -1, configs: deadLetterTopicConfig }
  ]).catch(error =>
    logger.warn({ event: 'dead_letter_topic_not_created', error, topic }, 'failed to create the dead-letter topic')
  )
  const producer = traceProducer(await createProducer(connection), spans)
  onStop('producer', () => producer.close())
  return producer
}

function retryPolicyOf(config: NotificationService['config']) {
  return {
    maxAttempts: config.NOTIFICATION_MAX_ATTEMPTS,
    maxAgeMs: config.NOTIFICATION_MAX_AGE_MS,
    firstDelayMs: config.NOTIFICATION_RETRY_INITIAL_MS,
    maxDelayMs: config.NOTIFICATION_MAX_RETRY_MS,
    maxRetryAfterMs: config.NOTIFICATION_MAX_RETRY_AFTER_MS
  }
}
