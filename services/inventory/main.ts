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
import { availableFor } from './domain/set-stock.ts'
import { addStockApi } from './from-http/api.ts'
import { expireHolds } from './from-orders/expire-holds.ts'
import { orderStage } from './from-orders/order-stage.ts'
import { reportChanged } from './from-orders/report-changed.ts'
import { reportDecided } from './from-orders/report-decided.ts'
import { readStockFile } from './from-stock-file/read-stock-file.ts'
import { kafkaUses } from './kafka-uses.ts'
import { isTransient } from './store/is-transient.ts'
import { createMovementQueue } from './store/movement-queue.ts'
import { createPostgresStore } from './store/postgres.ts'
import { createPostgresKeeping } from './store/postgres-keeping.ts'
import { inventorySchema, inventorySessionSettings } from './store/schema.ts'
import { movementRecord } from './to-movements/movement-record.ts'
import { publishingAtOnce, publishMovements } from './to-movements/publish-movements.ts'
import { expiryRecord, resultRecord } from './to-results/result-record.ts'

const statementTimeoutMs = 10_000
/** Shorter than an idle transaction may last: movements are marked in the transaction that reads them. */
const movementTimeoutMs = 3_000
const expireEveryMs = 500
/** A batch takes about as long; the broker would be asked two or three times for each. At 1,000 orders a second outcomes are there sooner. */
const fetchPace = { everyMs: 10 }

runService({
  name: 'inventory',
  config: configSchema,
  async start({ config, logger, metrics, spans, http, signal, onStop, ready, fail }) {
    if (config.ORDERLY_PROFILE === 'prod' && config.SEED_STOCK_FILE !== undefined) {
      throw new ConfigError(['SEED_STOCK_FILE is set, but stock is seeded in the dev profile only: leave it unset'])
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
      // Nothing of a new SKU is reserved, so every piece on hand is available.
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
      stock: publishingAtOnce(createPostgresKeeping(pool), publishing),
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
