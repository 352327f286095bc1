import { createPool, isTransientFailure } from '@orderly/postgres'
import { createLogger } from '@orderly/service-kit'
import { createMetrics } from '../../../packages/service-kit/metrics/registry.ts'
import { stageObserver } from '../../../packages/service-kit/metrics/stage-observer.ts'
import { orderStage } from '../../../services/inventory/consumer/order-stage.ts'
import { reportDecided } from '../../../services/inventory/consumer/report.ts'
import { createPostgresStore } from '../../../services/inventory/store/postgres.ts'
import { createPostgresStockAdmin } from '../../../services/inventory/store/postgres-stock-admin.ts'
import { inventorySessionSettings } from '../../../services/inventory/store/schema.ts'
import { connectLocalTopics } from '../orders/local-topics.ts'
import { skuCount, skuOf } from '../orders/make-orders.ts'
import type { Task } from '../peers/worker.ts'
import { answerTasks } from './answer-tasks.ts'
import { runUntil } from './run-until.ts'

const plenty = 1_000_000_000
const topics = await connectLocalTopics()
const logger = createLogger({ service: 'inventory', instance: 'bench', level: 'error', isPretty: false })

/**
 * Runs the inventory as its main.ts wires it, on topics of the benchmark, or fills the stock of a
 * new database.
 */
await answerTasks(async (task: Task) => {
  const { databaseURL, prepareDatabase } = task as { databaseURL: string; prepareDatabase?: boolean }
  const pool = createPool({
    url: databaseURL,
    maxConnections: 10,
    applicationName: 'bench',
    statementTimeoutMs: 30_000,
    sessionSettings: inventorySessionSettings
  })
  try {
    const store = createPostgresStore(pool)
    if (prepareDatabase !== true) return await runInventory(task, store)
    const counts = new Map(Array.from({ length: skuCount }, (_, index) => [skuOf(index), { available: plenty }]))
    await createPostgresStockAdmin(pool).set(counts, { by: 'bench' })
    return {}
  } finally {
    await pool.end()
  }
})

function runInventory(task: Task, store: ReturnType<typeof createPostgresStore>) {
  const { brokers, input, output, failedOutput, group, records, batch } = task as {
    brokers: string
    input: string
    output: string
    failedOutput: string
    group: string
    records: number
    batch: number
  }
  const metrics = createMetrics('bench')
  const renamed = {
    ...topics,
    ordersCreated: { ...topics.ordersCreated, name: input },
    inventoryReserved: { ...topics.inventoryReserved, name: output },
    inventoryFailed: { ...topics.inventoryFailed, name: failedOutput }
  }
  const stage = orderStage({
    topics: renamed,
    store,
    onDecided: reportDecided(metrics, logger)
  })
  // Reads orders only, since the benchmark writes no change requests.
  return runUntil({ ...stage, inputs: stage.inputs.slice(0, 1), group }, records, {
    connection: { brokers: [brokers], clientID: 'bench' },
    transactionalID: group,
    maxBatchRecords: batch,
    isTransient: isTransientFailure,
    observer: stageObserver(metrics)
  })
}
