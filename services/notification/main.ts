import { connectTopics, createSchemaRegistry } from '@orderly/contracts'
import { createProducer, createTopics, deadLetterTopic, deadLetterTopicConfig, runStage } from '@orderly/kafka'
import { createPostgresPositions } from '@orderly/positions'
import { openDatabase, retryTransient } from '@orderly/postgres'
import {
  ConfigError,
  countDeadLetters,
  kafkaConnection,
  registryAddress,
  runService,
  stageObserver,
  traceProducer,
  traceStage
} from '@orderly/service-kit'
import { configSchema } from './config.ts'
import { type Accept, resultStage } from './consumer/result-stage.ts'
import { notificationsDeadLetterTopic, toDeadLetter } from './delivery/dead-letter.ts'
import { startDelivering } from './delivery/delivery-loop.ts'
import { startMaintenance } from './delivery/maintenance.ts'
import { measure } from './delivery/measure.ts'
import { createSettlements } from './delivery/settlements.ts'
import { createSinks } from './delivery/sinks.ts'
import { startTargets } from './delivery/targets.ts'
import { traceDeliveries } from './delivery/trace-deliveries.ts'
import { createStoredWebhook } from './delivery/webhook/webhook.ts'
import { kafkaUses, resultTopics } from './kafka-access.ts'
import { readEndpoints } from './store/endpoints.ts'
import { isTransient } from './store/is-transient.ts'
import { createPostgresDeliveryStore } from './store/postgres.ts'
import { deliverySchema, deliverySessionSettings } from './store/schema.ts'

const statementTimeoutMs = 10_000
const maintenanceMs = 60_000
/**
 * Maximum time that a fetch waits for more records under a load of hundreds of outcomes per second.
 * Each batch costs the delivery table about six statements, so larger batches are cheaper.
 */
const fetchPace = { everyMs: 50 }
const dayMs = 24 * 60 * 60_000
/** Interval at which a delivery loop polls without being woken, in case a wake-up was missed. */
const unwokenMs = 60_000

runService({
  name: 'notification',
  config: configSchema,
  async start({ config, logger, metrics, spans, signal, onStop, ready, fail }) {
    const instanceID = config.INSTANCE_ID
    const name = `notification-${instanceID}`
    const leaseMs = config.NOTIFICATION_LEASE_MS
    const sinks = createSinks(config, { logger, locale: config.NOTIFICATION_LOCALE })
    for (const sink of sinks) onStop(sink.target, () => sink.close())
    if (sinks.some(sink => sink.timeoutMs * 2 > leaseMs)) {
      throw new ConfigError([
        `NOTIFICATION_LEASE_MS is ${leaseMs}: set it to at least twice the longest timeout (SMTP_TIMEOUT_MS, WEBHOOK_TIMEOUT_MS)`
      ])
    }

    const pool = await openDatabase(
      { config, logger, signal, onStop, ready },
      {
        schemas: [deliverySchema],
        applicationName: name,
        statementTimeoutMs,
        sessionSettings: deliverySessionSettings,
        readinessGate: 'start'
      }
    )
    const positions = createPostgresPositions(pool, {
      ...{ schema: deliverySchema.schema, groupID: kafkaUses.groups[0], whenBehind: 'rewind' }
    })
    const deliveryStore = createPostgresDeliveryStore(pool, { positions })
    const released = await deliveryStore.releaseClaims(instanceID)
    if (released > 0) {
      const event = 'deliveries_released'
      logger.warn({ event, lanes: released }, 'released deliveries claimed by a previous run of this instance')
    }

    const connection = kafkaConnection(config, name)
    await createTopics(connection, [
      { name: notificationsDeadLetterTopic, partitions: -1, replicationFactor: -1, configs: deadLetterTopicConfig }
    ]).catch(error =>
      logger.warn(
        { event: 'dead_letter_topic_not_created', error, topic: notificationsDeadLetterTopic },
        'failed to create the dead-letter topic'
      )
    )
    const producer = traceProducer(await createProducer(connection), spans)
    onStop('producer', () => producer.close())

    const measures = measure(metrics, deliveryStore)
    const settlements = createSettlements({
      deliveryStore,
      logger,
      exhaust: settled =>
        producer.send(
          settled.flatMap(({ delivery, settlement }) =>
            settlement.status === 'exhausted' ? toDeadLetter(delivery, settlement.attempts, settlement.failure) : []
          )
        ),
      retry: work => retryTransient(work, { isTransient, attempts: 8 }),
      onSettled(settled, dueAgain) {
        measures.settled(settled)
        targets.wake(dueAgain)
      }
    })
    onStop('settlements', () => settlements.drained())

    const policy = {
      maxAttempts: config.NOTIFICATION_MAX_ATTEMPTS,
      maxAgeMs: config.NOTIFICATION_MAX_AGE_MS,
      firstDelayMs: config.NOTIFICATION_RETRY_INITIAL_MS,
      maxDelayMs: config.NOTIFICATION_MAX_RETRY_MS,
      maxRetryAfterMs: config.NOTIFICATION_MAX_RETRY_AFTER_MS
    }
    const observer = traceDeliveries(measures, spans)
    const options = { deliveryStore, settlements, policy, instanceID, leaseMs, pollMs: unwokenMs, logger, observer }
    const targets = await startTargets({
      configured: sinks,
      readEndpoints: () => readEndpoints(pool),
      createSink: endpoint =>
        createStoredWebhook(endpoint, config, {
          isProd: config.ORDERLY_PROFILE === 'prod',
          maxTimeoutMs: Math.floor(leaseMs / 2)
        }),
      startLoop: sink => startDelivering(sink, options),
      deliveryStore,
      refreshMs: config.NOTIFICATION_ENDPOINTS_REFRESH_MS,
      pollMs: config.NOTIFICATION_POLL_MS,
      logger
    })
    onStop('deliveries', () => targets.stop(config.SHUTDOWN_DEADLINE_MS / 2))
    const maintenance = startMaintenance({
      ...{ deliveryStore, settlements, targets: targets.names, policy, instanceID, leaseMs, logger },
      retentionMs: config.NOTIFICATION_RETENTION_DAYS * dayMs,
      everyMs: maintenanceMs
    })
    onStop('housekeeping', () => maintenance.stop())

    const topics = await connectTopics(createSchemaRegistry(registryAddress(config)), resultTopics)
    const accept: Accept = async (outcomes, advances) => {
      const accepted = await deliveryStore.accept(outcomes, targets.recipients(), advances)
      measures.duplicates(accepted.duplicates)
      targets.wake(accepted.targets)
    }
    const traced = traceStage(resultStage(topics, accept), stageObserver(metrics), spans)
    const stage = runStage(traced.stage, {
      connection,
      delivery: 'at-least-once',
      positions,
      instanceID,
      fetchPace,
      isTransient,
      logger,
      observer: traced.observer
    })
    onStop('stage', () => stage.stop())
    ready('stage', () => stage.isReady(), 'start')
    stage.finished.catch(fail)
    const deadLetterTopics = traced.stage.inputs.map(({ name }) => deadLetterTopic(name))
    countDeadLetters(
      { logger, metrics, onStop },
      { connection, topics: [...deadLetterTopics, notificationsDeadLetterTopic] }
    )
  }
})
