import type { TestContext } from 'node:test'
import type { APIKeyCache, ShareLimits } from '@orderly/callers'
import { connectTopics, orderCreatedSchemas, type Topics } from '@orderly/contracts'
import { createInMemoryRegistry } from '@orderly/contracts/testing'
import { createInMemoryBroker, type InMemoryBroker } from '@orderly/kafka/testing'
import type { Logger } from '@orderly/service-kit'
import { createTestHttp, silentLogger } from '@orderly/service-kit/testing'
import type { FastifyInstance } from 'fastify'
import { Registry } from 'prom-client'
import { addOrderApi } from '../http/api.ts'
import { createPlace } from '../http/order-routes.ts'
import type { OrderTokens } from '../http/order-token.ts'
import { statusTopics } from '../kafka-access.ts'
import { statusStage } from '../projection/status-stage.ts'
import { createIdempotentPlacement } from '../publisher/idempotent-placement.ts'
import { createOrderPublisher } from '../publisher/order-publisher.ts'
import type { KeyStore } from '../store/key-state.ts'
import type { OrderStore } from '../store/order-store.ts'
import { createOrderWatch } from '../store/order-watch.ts'
import { createMemoryKeyStore } from '../store/testing/memory-keys.ts'
import { createMemoryOrderStore } from '../store/testing/memory-orders.ts'
import { createMemoryReservedWriter, createSequenceLog } from './memory-reserved-writer.ts'

export const nowMs = 1_700_000_000_000

export interface OrderApi {
  readonly http: FastifyInstance
  readonly broker: InMemoryBroker
  readonly topics: Pick<Topics, 'ordersCreated' | 'ordersChanges'>
  /** Store that tests fill in place of the projection. */
  readonly orders: OrderStore
  readonly failNextKeyed: (error: Error, isWritten: boolean) => void
  /** Suspends writes of orders with keys. @returns a function that resumes them */
  readonly holdKeyed: () => () => void
  /** Runs the projection, which stores the order status from the records. */
  startProjection(): Promise<void>
  /** Listens on loopback. @returns the address */
  listen(): Promise<string>
  post(payload: unknown, headers?: Record<string, string>): ReturnType<typeof post>
}

export interface OrderApiOptions {
  readonly orderCreatedVersion?: number
  readonly streamLimits?: ShareLimits
  readonly waiterLimits?: ShareLimits
  readonly heartbeatMs?: number
  readonly callers?: Pick<APIKeyCache, 'find'>
  readonly tokens?: OrderTokens
  readonly keys?: KeyStore
  /** Logger of the API. By default log lines are discarded. */
  readonly logger?: Logger
}

/** Creates the API as `main.ts` wires it, with a broker, a registry and stores in memory. */
export async function createOrderApi(t: Pick<TestContext, 'after'>, options: OrderApiOptions = {}): Promise<OrderApi> {
  const { keys = createMemoryKeyStore(() => nowMs), logger = silentLogger(), ...more } = options
  const { orderCreatedVersion = orderCreatedSchemas.newestVersion, callers, ...streamOptions } = more
  const { streamLimits = { total: 10, perCaller: 10 }, waiterLimits = { total: 1_000, perCaller: 1_000 } } = options
  const broker = createInMemoryBroker()
  const registry = createInMemoryRegistry()
  const topics = await connectTopics(registry, {
    ordersCreated: orderCreatedVersion,
    ordersChanges: 'write'
  })
  const { http, listen } = createTestHttp(t, { logger })
  const orders = createMemoryOrderStore()
  const watch = createOrderWatch(orders, { limits: waiterLimits, everyMs: 1 })
  const metrics = new Registry()
  const { writer, failNext, hold } = createMemoryReservedWriter(createSequenceLog(broker.producer()))
  const placeIdempotently = createIdempotentPlacement({
    writer,
    ordersCreated: topics.ordersCreated,
    keys,
    orders,
    nowMs: () => nowMs,
    deliveryTimeoutMs: 5_000,
    maxPending: 1_000,
    logger
  })
  const publisher = createOrderPublisher({
    producer: broker.producer(),
    topics,
    placeIdempotently,
    acceptance: { check() {} },
    metrics
  })
  await addOrderApi(http, {
    callers,
    place: createPlace({ ...publisher, metrics, nowMs: () => nowMs }),
    publishChange: publisher.publishChange,
    claimChange: keys.claimChange,
    orderCreatedVersion,
    orders,
    watch,
    nowMs: Date.now,
    ...streamOptions,
    streamLimits
  })
  return {
    http,
    broker,
    topics,
    orders,
    failNextKeyed: failNext,
    holdKeyed: hold,
    listen,
    async startProjection() {
      const stage = statusStage({ topics: await connectTopics(registry, statusTopics), store: orders })
      const projection = broker.runStage(stage, { isTransient: () => false, logger })
      t.after(() => projection.stop())
    },
    post: (payload, headers = {}) => post(http, payload, headers)
  }
}

/** Sends strings and bytes unchanged, other payloads as JSON. */
async function post(http: FastifyInstance, payload: unknown, headers: Record<string, string>) {
  const body = typeof payload === 'string' || Buffer.isBuffer(payload) ? payload : JSON.stringify(payload)
  const answer = await http.inject({
    method: 'POST',
    url: '/orders',
    payload: body,
    headers: { 'content-type': 'application/json', ...headers }
  })
  return { status: answer.statusCode, headers: answer.headers, body: answer.json() }
}

export const anOrder = {
  userID: 'user-17',
  items: [
    { sku: 'TEA-EARL-GREY-100G', quantity: 2 },
    { sku: 'MUG-BLUE', quantity: 1 }
  ],
  total: 25.9
}
