import { setPriority } from 'node:os'
import { parentPort, workerData } from 'node:worker_threads'
import { connectTopics, createSchemaRegistry } from '@orderly/contracts'
import { type Logger, runStage, type StageObserver } from '@orderly/kafka'
import { createPostgresPositions } from '@orderly/positions'
import { createPool, retryTransient } from '@orderly/postgres'
import { kafkaConnection, registryAddress, startTracing, traceStage } from '@orderly/service-kit'
import type { OrderConfig } from '../config.ts'
import { kafkaUses, statusTopics } from '../kafka-access.ts'
import { createProjectedOrderStore } from '../store/orders.ts'
import { orderSchema, orderSessionSettings } from '../store/schema.ts'
import { type FromWorker, isRetryable, observedMethods } from './projection.ts'
import { statusStage } from './status-stage.ts'

/** Entry point of the thread that `startProjection` starts. */

if (parentPort === null) throw new Error('this file is run as a thread: see projection.ts')
const parent = parentPort
const config: OrderConfig = workerData
const post = (message: FromWorker) => parent.postMessage(message)

// On Linux the priority applies to the calling thread: if CPU time is short, requests go first.
if (process.platform === 'linux') setPriority(0, 10)

/**
 * Maximum extra staleness of order status under load; a few records are fetched immediately. At
 * thousands of records per second, these batches need a quarter less CPU time (here, in Postgres
 * and in the broker) than batches of 20 ms, and the projection keeps up as well.
 */
const fetchPace = { everyMs: 100 }

const stopping = new AbortController()
parent.once('message', () => stopping.abort())

const log = (level: keyof Logger) => (fields: object, message: string) => {
  post({ kind: 'log', level, fields: cloneable(fields), message })
}
const logger: Logger = { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') }
const observer = Object.fromEntries(
  observedMethods.map(method => [
    method,
    (event: object) => post({ kind: 'observed', method, event: cloneable(event) })
  ])
) as StageObserver

try {
  await project()
} catch (error) {
  const { code, message } = error as { code?: unknown; message?: unknown }
  post({ kind: 'failed', code: String(code ?? 'UNEXPECTED'), message: String(message ?? error) })
}
parent.close()

async function project(): Promise<void> {
  const name = `order-status-${config.INSTANCE_ID}`
  const pool = createPool({
    url: config.DATABASE_URL,
    maxConnections: 2,
    applicationName: name,
    statementTimeoutMs: 10_000,
    sessionSettings: orderSessionSettings
  })
  const spans = await startTracing(config, { service: 'order', instance: config.INSTANCE_ID, logger })
  try {
    const registry = createSchemaRegistry(registryAddress(config))
    const topics = await retryTransient(() => connectTopics(registry, statusTopics), {
      isTransient: isRetryable,
      attempts: Number.POSITIVE_INFINITY,
      signal: stopping.signal
    })
    const positions = createPostgresPositions(pool, {
      schema: orderSchema.schema,
      groupID: kafkaUses.groups[0],
      whenBehind: 'rewind'
    })
    const store = createProjectedOrderStore(pool, positions)
    const traced = traceStage(statusStage({ topics, store }), observer, spans)
    const stage = runStage(traced.stage, {
      connection: kafkaConnection(config, name),
      delivery: 'at-least-once',
      positions,
      instanceID: name,
      fetchPace,
      isTransient: isRetryable,
      logger,
      observer: traced.observer
    })
    stopping.signal.addEventListener('abort', () => void stage.stop())
    if (stopping.signal.aborted) await stage.stop()
    await stage.finished
  } catch (error) {
    if (!stopping.signal.aborted) throw error
  } finally {
    await pool.end()
    await spans?.stop()
  }
}

/**
 * Returns the fields in a form that can be posted to another thread. Errors keep what a log shows.
 */
function cloneable(fields: object): object {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, value instanceof Error ? describe(value) : value])
  )
}

function describe(error: Error): object {
  const { name, message, stack, code } = error as Error & { code?: unknown }
  return { type: name, message, stack, ...(typeof code === 'string' && { code }) }
}
