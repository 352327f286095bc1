import { setTimeout as delay } from 'node:timers/promises'
import { callerSchemas, openCallers } from '@orderly/callers'
import { connectTopics, createSchemaRegistry } from '@orderly/contracts'
import { checkConnection, createProducer, createReservedWriter } from '@orderly/kafka'
import { createPool } from '@orderly/postgres'
import {
  kafkaConnection,
  registryAddress,
  runService,
  stageObserver,
  traceProducer,
  traceReservedWriter
} from '@orderly/service-kit'
import { configSchema } from './config.ts'
import { addOrderApi } from './from-http/api.ts'
import { measurePlacing } from './from-http/measure-placing.ts'
import { createPlace } from './from-http/place.ts'
import { startProjection } from './from-topics/projection.ts'
import { newOrderID } from './order-id.ts'
import { openDatabase } from './store/database.ts'
import { createOrderWatch, limitWatch } from './store/order-watch.ts'
import { createPostgresKeyStore } from './store/postgres-keys.ts'
import { createPostgresOrderStore } from './store/postgres-orders.ts'
import { pruneKeys } from './store/prune-keys.ts'
import { orderSchema, orderSessionSettings } from './store/schema.ts'
import { watchAcceptance } from './to-orders/acceptance.ts'
import { createIdempotentPlacement } from './to-orders/idempotent-placement.ts'
import { measurePublishing } from './to-orders/measure-publishing.ts'
import { publishOrders } from './to-orders/publish-orders.ts'
import { requestChanges } from './to-orders/request-change.ts'

const databasePatienceMs = 2_000
/** Maximum number of requests that wait for an order to change. */
const waiterLimits = { total: 5_000, perCaller: 1_250 }

runService({
  name: 'order',
  config: configSchema,
  async start({ config, http, logger, metrics, spans, signal, onStop, ready, fail }) {
    const orderCreatedVersion = config.ORDER_CREATED_VERSION
    const { ordersCreated, ordersChanges } = await connectTopics(createSchemaRegistry(registryAddress(config)), {
      ordersCreated: orderCreatedVersion,
      ordersChanges: 'write'
    })
    const name = `order-${config.INSTANCE_ID}`
    const connection = kafkaConnection(config, name)
    const deliveryTimeoutMs = config.ORDER_DELIVERY_TIMEOUT_MS
    const producer = await createProducer(connection, {
      deliveryTimeoutMs,
      maxBufferedRecords: config.ORDER_MAX_PENDING
    })
    onStop('producer', () => producer.close())
    // Kafka does not gate readiness: without it orders get 503, but reads and streams still work.
    ready('kafka', () => checkConnection(connection).then(() => true), 'never')

    // The database does not gate readiness: orders without an idempotency key do not need it.
    const pool = createPool({
      url: config.DATABASE_URL,
      maxConnections: config.DATABASE_MAX_CONNECTIONS,
      applicationName: name,
      statementTimeoutMs: 3_000,
      connectTimeoutMs: 2_000,
      sessionSettings: orderSessionSettings,
      onIdleError: error => logger.warn({ event: 'database_connection_lost', error }, 'idle database connection lost')
    })
    onStop('database', () => pool.end())
    const database = openDatabase(pool, {
      schemas: [orderSchema, ...callerSchemas(config)],
      mayMigrate: config.ORDERLY_PROFILE === 'dev',
      logger,
      signal
    })
    const orders = database.guard(createPostgresOrderStore(pool))
    const keys = database.guard(createPostgresKeyStore(pool))
    const watchStream = createOrderWatch(orders)
    const watch = limitWatch(watchStream, waiterLimits)
    const observer = stageObserver(metrics)
    database.opened.then(
      () => {
        const projection = startProjection(config, { logger, observer, onFailure: fail })
        onStop('projection', () => projection.stop())
        const pruning = pruneKeys(keys, { olderThanMs: config.ORDER_KEY_HOURS * 3_600_000, logger })
        onStop('pruning', () => pruning.stop())
      },
      error => {
        if (!signal.aborted) fail(error)
      }
    )
    const [callers] = await Promise.all([
      openCallers({ config, pool, logger, metrics, signal, onStop, ready }),
      Promise.race([database.opened, delay(databasePatienceMs, undefined, { signal, ref: false })])
    ])

    const writer = createReservedWriter(connection, { deliveryTimeoutMs })
    onStop('once writer', () => writer.close())
    const placeIdempotently = createIdempotentPlacement({
      writer: traceReservedWriter(writer, spans),
      ordersCreated,
      keys,
      isKnown: async orderID => (await orders.find([orderID])).has(orderID),
      newOrderID,
      nowMs: Date.now,
      leaseMs: deliveryTimeoutMs + 3_000,
      logger
    })

    const traced = traceProducer(producer, spans)
    const acceptance = watchAcceptance(connection, logger)
    onStop('acceptance', () => acceptance.stop())
    const publish = measurePublishing(publishOrders(traced, ordersCreated), metrics)
    await addOrderApi(http, {
      callers,
      allowedHosts: config.HTTP_ALLOWED_HOSTS,
      place: measurePlacing(
        acceptance.guard(createPlace({ publish, placeIdempotently, newOrderID, nowMs: Date.now })),
        metrics
      ),
      request: acceptance.guard(requestChanges(traced, ordersChanges)),
      claimChange: keys.claimChange,
      newRequestID: newOrderID,
      orderCreatedVersion,
      watch: () => (database.isOpen() ? watch : undefined),
      orders: { ...orders, watch, watchStream },
      nowMs: Date.now,
      streamLimits: {
        total: config.ORDER_MAX_STREAMS,
        perCaller: config.ORDER_MAX_STREAMS_PER_CALLER ?? Math.ceil(config.ORDER_MAX_STREAMS / 4)
      }
    })
  }
})
