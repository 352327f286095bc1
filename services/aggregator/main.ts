import { callerSchemas, openCallers } from '@orderly/callers'
import { connectTopics, createSchemaRegistry } from '@orderly/contracts'
import { deadLetterTopic, runStage } from '@orderly/kafka'
import { createPostgresPositions } from '@orderly/positions'
import { openDatabase } from '@orderly/postgres'
import {
  countDeadLetters,
  kafkaConnection,
  registryAddress,
  runService,
  stageObserver,
  traceStage
} from '@orderly/service-kit'
import { configSchema } from './config.ts'
import { rateStage } from './consumer/rate-stage.ts'
import { reportCounted } from './consumer/report-counted.ts'
import type { WindowPolicy } from './domain/window.ts'
import { addRateApi } from './http/api.ts'
import { kafkaUses } from './kafka-access.ts'
import { rateRecord } from './publisher/rate-record.ts'
import { isTransient } from './store/is-transient.ts'
import { createPostgresStore, forgetTruncated } from './store/postgres.ts'
import { aggregatorSchema, aggregatorSessionSettings } from './store/schema.ts'

const statementTimeoutMs = 10_000
const dayMs = 86_400_000
/**
 * Interval between fetches. Minutes are published once a second, so larger batches delay no reader
 * and save transactions of Kafka and Postgres.
 */
const fetchPace = { everyMs: 250, abovePerSecond: 0 }

runService({
  name: 'aggregator',
  config: configSchema,
  async start({ config, logger, metrics, spans, http, signal, onStop, ready, fail }) {
    const name = `aggregator-${config.INSTANCE_ID}`
    const policy: WindowPolicy = {
      graceMs: config.AGGREGATOR_GRACE_MS,
      settleMs: config.AGGREGATOR_CLOCK_SKEW_MS,
      retentionMs: config.AGGREGATOR_RETENTION_DAYS * dayMs
    }
    const pool = await openDatabase(
      { config, logger, signal, onStop, ready },
      {
        schemas: [aggregatorSchema, ...callerSchemas(config)],
        applicationName: name,
        statementTimeoutMs,
        sessionSettings: aggregatorSessionSettings
      }
    )
    const positions = createPostgresPositions(pool, {
      ...{ schema: aggregatorSchema.schema, groupID: kafkaUses.groups[0], whenBehind: 'rewind' },
      onReplace: forgetTruncated
    })
    const store = createPostgresStore(pool, policy, positions)
    const callers = await openCallers({ config, pool, logger, metrics, signal, onStop, ready })
    await addRateApi(http, { callers, allowedHosts: config.HTTP_ALLOWED_HOSTS, store, policy, nowMs: Date.now })

    const { ordersCreated, orderRate } = await connectTopics(
      createSchemaRegistry(registryAddress(config)),
      kafkaUses.topics[0]
    )
    const traced = traceStage(
      rateStage({
        ordersCreated,
        store,
        publishEveryMs: config.AGGREGATOR_PUBLISH_INTERVAL_MS,
        toRecord: (rate, traceparent) => rateRecord(orderRate, rate, traceparent),
        ...reportCounted(metrics, logger)
      }),
      stageObserver(metrics),
      spans
    )
    const connection = kafkaConnection(config, name)
    const stage = runStage(traced.stage, {
      connection,
      transactionalID: name,
      positions,
      instanceID: name,
      maxBatchRecords: config.AGGREGATOR_MAX_BATCH,
      fetchPace,
      isTransient,
      logger,
      observer: traced.observer
    })
    onStop('stage', () => stage.stop())
    ready('stage', () => stage.isReady(), 'start')
    stage.finished.catch(fail)
    const deadLetterTopics = traced.stage.inputs.map(({ name }) => deadLetterTopic(name))
    countDeadLetters({ logger, metrics, onStop }, { connection, topics: deadLetterTopics })
  }
})
