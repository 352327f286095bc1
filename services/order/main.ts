import { openCallers } from '@orderly/callers'
import { kafkaConnection, runService } from '@orderly/service-kit'
import { configSchema } from './config.ts'
import { addOrderApi } from './http/api.ts'
import { createPlace } from './http/order-routes.ts'
import { createOrderTokens } from './http/order-token.ts'
import { startProjection } from './projection/projection.ts'
import { openPublisher } from './publisher/order-publisher.ts'
import { openDatabase } from './store/database.ts'
import { createKeyStore, pruneKeys } from './store/idempotency-keys.ts'
import { createOrderWatch } from './store/order-watch.ts'
import { createOrderStore } from './store/orders.ts'

/** Maximum number of requests that wait for an order to change. */
const waiterLimits = { total: 5_000, perCaller: 1_250 }

runService({
  name: 'order',
  config: configSchema,
  async start(context) {
    const { config, http, logger, metrics, onStop } = context
    const connection = kafkaConnection(config, `order-${config.INSTANCE_ID}`)

    // The database does not gate readiness: orders without an idempotency key do not need it.
    const database = openDatabase(context)
    const keys = createKeyStore(database.run)
    const orders = createOrderStore(database.run)
    const watch = createOrderWatch(orders, { limits: waiterLimits, isOpen: database.isOpen })

    const publisher = await openPublisher(context, { connection, keys, orders })
    startProjection(context, database.opened)
    database.opened.then(
      () => {
        const pruning = pruneKeys(keys, { olderThanMs: config.ORDER_KEY_HOURS * 3_600_000, logger })
        onStop('pruning', () => pruning.stop())
      },
      () => {}
    )
    const [callers] = await Promise.all([openCallers({ ...context, pool: database.pool }), database.openedSoon()])

    const { ORDER_TOKEN_SECRETS: secrets } = config
    await addOrderApi(http, {
      callers,
      tokens:
        secrets && createOrderTokens({ secrets, lifetimeMs: config.ORDER_TOKEN_HOURS * 3_600_000, nowMs: Date.now }),
      allowedHosts: config.HTTP_ALLOWED_HOSTS,
      place: createPlace({ ...publisher, metrics, nowMs: Date.now }),
      publishChange: publisher.publishChange,
      claimChange: keys.claimChange,
      orderCreatedVersion: config.ORDER_CREATED_VERSION,
      orders,
      watch,
      nowMs: Date.now,
      streamLimits: {
        total: config.ORDER_MAX_STREAMS,
        perCaller: config.ORDER_MAX_STREAMS_PER_CALLER ?? Math.ceil(config.ORDER_MAX_STREAMS / 4)
      }
    })
  }
})
