import { callerSchemas, openCallers } from '@orderly/callers'
import { connectTopics, createSchemaRegistry } from '@orderly/contracts'
import { createPostgresPositions } from '@orderly/positions'
import { isPostgresServerError, isTransientFailure, openDatabase } from '@orderly/postgres'
import { kafkaConnection, registryAddress, runService, startStage } from '@orderly/service-kit'
import { configSchema } from './config.ts'
import { rateStage } from './consumer/rate-stage.ts'
import { reportCounted } from './consumer/report.ts'
import type { WindowPolicy } from './domain/window.ts'
import { addRateApi } from './http/api.ts'
import { kafkaUses } from './kafka-access.ts'
import { createPostgresStore, forgetTruncated } from './store/postgres.ts'
import { aggregatorSchema, aggregatorSessionSettings } from './store/schema.ts'

const dayMs = 86_400_000
/**
 * Interval between fetches. Minutes are published once a second, so larger batches delay no reader
 * and save transactions of Kafka and Postgres.
 */
const fetchPace = { everyMs: 250, abovePerSecond: 0 }

runService({
  name: 'aggregator',
  config: configSchema,
  async start(service) {
    const { config, logger, metrics, http } = service
    const name = `aggregator-${config.INSTANCE_ID}`
    const policy: WindowPolicy = {
      graceMs: config.AGGREGATOR_GRACE_MS,
      clockSkewMs: config.AGGREGATOR_CLOCK_SKEW_MS,
      retentionMs: config.AGGREGATOR_RETENTION_DAYS * dayMs
    }
    const schemas = [aggregatorSchema, ...callerSchemas(config)]
    const session = { statementTimeoutMs: 10_000, sessionSettings: aggregatorSessionSettings }
    const pool = await openDatabase(service, { schemas, applicationName: name, ...session })
    const group = { schema: aggregatorSchema.schema, groupID: kafkaUses.groups[0] }
    const positions = createPostgresPositions(pool, { ...group, whenBehind: 'rewind', onReplace: forgetTruncated })
    const store = createPostgresStore(pool, policy, positions)
    const callers = await openCallers({ ...service, pool })
    await addRateApi(http, { callers, allowedHosts: config.HTTP_ALLOWED_HOSTS, store, policy, nowMs: Date.now })

    const topics = await connectTopics(createSchemaRegistry(registryAddress(config)), kafkaUses.topics[0])
    const publishEveryMs = config.AGGREGATOR_PUBLISH_INTERVAL_MS
    startStage(service, rateStage({ ...topics, store, publishEveryMs, ...reportCounted(metrics, logger) }), {
      ...{ connection: kafkaConnection(config, name), transactionalID: name, instanceID: name },
      ...{ positions, fetchPace, maxBatchRecords: config.AGGREGATOR_MAX_BATCH },
      // Statements contain only numbers, so no order can cause an error of the database.
      isTransient: error => isTransientFailure(error) || isPostgresServerError(error)
    })
  }
})
