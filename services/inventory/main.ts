import { callerSchemas, openCallers } from '@orderly/callers'
import { connectTopics, createSchemaRegistry } from '@orderly/contracts'
import { createProducer, runStage } from '@orderly/kafka'
import { createPostgresPositions, positionRemedies } from '@orderly/positions'
import { openDatabase } from '@orderly/postgres'
import {
  ConfigError,
  kafkaConnection,
  newTraceparent,
  registryAddress,
  runService,
  stageObserver,
  traceStage
} from '@orderly/service-kit'
import { configSchema, readHoldLimits } from './config.ts'
import { expireHolds } from './consumer/expire-holds.ts'
import { orderStage } from './consumer/order-stage.ts'
import { reportChanged } from './consumer/report-changed.ts'
import { reportDecided } from './consumer/report-decided.ts'
import { availableFor } from './domain/set-stock.ts'
import { addStockApi } from './http/api.ts'
import { kafkaUses } from './kafka-access.ts'
import { movementRecord } from './publisher/movement-record.ts'
import { publishingAtOnce, publishMovements } from './publisher/publish-movements.ts'
import { expiryRecord, resultRecord } from './publisher/result-record.ts'
import { readStockFile } from './stock-file/read-stock-file.ts'
import { isTransient } from './store/is-transient.ts'
import { createMovementQueue } from './store/movement-queue.ts'
import { createPostgresStore } from './store/postgres.ts'
import { createPostgresStockAdmin } from './store/postgres-stock-admin.ts'
import { inventorySchema, inventorySessionSettings } from './store/schema.ts'

const statementTimeoutMs = 10_000
/**
 * Delivery timeout of movements, below the timeout of idle transactions: the transaction that reads
 * movements also marks them.
 */
const movementTimeoutMs = 3_000
const expireEveryMs = 500
/**
 * Minimum interval between fetches, about the duration of a batch; otherwise each batch causes two
 * or three fetches. Outcomes are faster with it at 1,000 orders/s.
 */
const fetchPace = { everyMs: 10 }

runService({
  name: 'inventory',
  config: configSchema,
  async start({ config, logger, metrics, spans, http, signal, onStop, ready, fail }) {
    if (config.ORDERLY_PROFILE === 'prod' && config.SEED_STOCK_FILE !== undefined) {
      throw new ConfigError(['SEED_STOCK_FILE is allowed in the dev profile only: unset it'])
    }
    const limits = readHoldLimits(config)
    const name = `inventory-${config.INSTANCE_ID}`
    const pool = await openDatabase(
      { config, logger, signal, onStop, ready },
      {
        schemas: [inventorySchema, ...callerSchemas(config)],
        applicationName: name,
        statementTimeoutMs,
        sessionSettings: inventorySessionSettings
      }
    )
    const positions = createPostgresPositions(pool, {
      ...{ schema: inventorySchema.schema, groupID: kafkaUses.groups[0], whenBehind: 'stop' },
      remedies: positionRemedies(kafkaUses.groups[0])
    })
    const store = createPostgresStore(pool, { limits, positions })
    const callers = await openCallers({ config, pool, logger, metrics, signal, onStop, ready })
    if (config.SEED_STOCK_FILE !== undefined) {
      const counts = await readStockFile(config.SEED_STOCK_FILE)
      // A new SKU has no reserved pieces, so all of its pieces on hand are available.
      const pieces = Array.from(counts, ([sku, count]) => [sku, availableFor(count, 0) ?? 0] as const)
      const added = await store.addMissing(new Map(pieces))
      logger.info({ added, file: config.SEED_STOCK_FILE }, 'stock seeded')
    }

    const topics = await connectTopics(createSchemaRegistry(registryAddress(config)), kafkaUses.topics[0])
    const connection = kafkaConnection(config, name)
    const producer = await createProducer(connection, { deliveryTimeoutMs: movementTimeoutMs })
    onStop('producer', () => producer.close())
    const publishing = publishMovements({
      queue: createMovementQueue(pool),
      publish: movements =>
        producer.send(movements.map(movement => movementRecord(topics.stockMovements, movement, newTraceparent()))),
      metrics,
      logger
    })
    onStop('movements', () => publishing.stop())
    await addStockApi(http, {
      callers,
      stock: publishingAtOnce(createPostgresStockAdmin(pool), publishing),
      allowedHosts: config.HTTP_ALLOWED_HOSTS
    })

    const traced = traceStage(
      orderStage({
        topics,
        store,
        toRecord: (result, traceparent) => resultRecord(topics, result, traceparent),
        tick: expireHolds({
          store,
          toRecord: (...expiry) => expiryRecord(topics, ...expiry),
          everyMs: expireEveryMs
        }),
        onDecided: reportDecided(metrics, logger),
        onChanged: reportChanged(metrics, logger)
      }),
      stageObserver(metrics),
      spans
    )
    const stage = runStage(traced.stage, {
      connection,
      transactionalID: name,
      positions,
      fetchPace,
      instanceID: name,
      maxBatchRecords: config.INVENTORY_MAX_BATCH,
      isTransient,
      logger,
      observer: traced.observer
    })
    onStop('stage', () => stage.stop())
    ready('stage', () => stage.isReady(), 'start')
    stage.finished.catch(fail)
  }
})
