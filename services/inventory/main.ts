import { callerSchemas, openCallers } from '@orderly/callers'
import { connectTopics, createSchemaRegistry } from '@orderly/contracts'
import { createPostgresPositions } from '@orderly/positions'
import { isTransientFailure, openDatabase } from '@orderly/postgres'
import { kafkaConnection, registryAddress, runService, startStage } from '@orderly/service-kit'
import { checkProfile, configSchema, readHoldLimits } from './config.ts'
import { expireHolds } from './consumer/expire-holds.ts'
import { orderStage } from './consumer/order-stage.ts'
import { reportChanged, reportDecided } from './consumer/report.ts'
import { addStockApi } from './http/api.ts'
import { auditDeadLetterTopic, kafkaUses } from './kafka-access.ts'
import { publishingAtOnce, startMovementPublishing } from './publisher/publish-movements.ts'
import { seedStock } from './stock-file/read-stock-file.ts'
import { createMovementQueue } from './store/movement-queue.ts'
import { createPostgresStore } from './store/postgres.ts'
import { createPostgresStockAdmin } from './store/postgres-stock-admin.ts'
import { inventorySchema, inventorySessionSettings } from './store/schema.ts'

/**
 * Minimum interval between fetches, about the duration of a batch; otherwise each batch causes two
 * or three fetches. Outcomes are faster with it at 1,000 orders/s.
 */
const fetchPace = { everyMs: 10 }

runService({
  name: 'inventory',
  config: configSchema,
  async start(service) {
    const { config, http, logger, metrics } = service
    checkProfile(config)
    const limits = readHoldLimits(config)
    const name = `inventory-${config.INSTANCE_ID}`
    const schemas = [inventorySchema, ...callerSchemas(config)]
    const session = { statementTimeoutMs: 10_000, sessionSettings: inventorySessionSettings }
    const pool = await openDatabase(service, { schemas, applicationName: name, ...session })
    const group = { schema: inventorySchema.schema, groupID: kafkaUses.groups[0] }
    const positions = createPostgresPositions(pool, { ...group, whenBehind: 'stop' })
    const store = createPostgresStore(pool, { limits, positions })
    const callers = await openCallers({ ...service, pool })
    if (config.SEED_STOCK_FILE !== undefined) await seedStock(store, config.SEED_STOCK_FILE, logger)

    const topics = await connectTopics(createSchemaRegistry(registryAddress(config)), kafkaUses.topics[0])
    const connection = kafkaConnection(config, name)
    const movements = { queue: createMovementQueue(pool), connection, topic: topics.stockMovements }
    const publishing = await startMovementPublishing(service, movements)
    const stock = publishingAtOnce(createPostgresStockAdmin(pool), publishing)
    await addStockApi(http, { callers, stock, allowedHosts: config.HTTP_ALLOWED_HOSTS })

    const tick = expireHolds({ store, ordersChanges: topics.ordersChanges, everyMs: 500 })
    const reports = { onDecided: reportDecided(metrics, logger), onChanged: reportChanged(metrics, logger) }
    const batches = { positions, fetchPace, maxBatchRecords: config.INVENTORY_MAX_BATCH }
    startStage(service, orderStage({ topics, store, tick, ...reports }), {
      ...{ connection, transactionalID: name, instanceID: name, ...batches },
      isTransient: isTransientFailure,
      otherDeadLetterTopics: [auditDeadLetterTopic]
    })
  }
})
