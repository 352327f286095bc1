import type { Logger } from '@orderly/service-kit'
import { type RetryPolicy, resultOf } from '../domain/delivery.ts'
import type { DeliveryStore } from '../store/delivery-store.ts'
import { laneOf, type ResultWriter } from './delivery-results.ts'

export interface MaintenanceOptions {
  readonly deliveryStore: DeliveryStore
  readonly results: ResultWriter
  /** Names of the targets that have a delivery loop. */
  readonly targets: () => readonly string[]
  readonly policy: RetryPolicy
  readonly retentionMs: number
  readonly instanceID: string
  readonly leaseMs: number
  readonly everyMs: number
  readonly logger: Logger
}

const lanesAtOnce = 100

/**
 * Starts the periodic maintenance of the delivery table. Every instance runs it; concurrent runs do
 * not conflict.
 */
export function startMaintenance(options: MaintenanceOptions): { stop(): Promise<void> } {
  const { logger, everyMs } = options
  let running: Promise<void> = Promise.resolve()
  const timer = setInterval(() => {
    running = running.then(() =>
      runMaintenance(options).catch(error =>
        logger.warn({ event: 'maintenance_failed', error }, 'maintenance failed, will retry at the next interval')
      )
    )
  }, everyMs)
  return {
    async stop() {
      clearInterval(timer)
      await running
    }
  }
}

export async function runMaintenance(options: MaintenanceOptions): Promise<void> {
  const { deliveryStore, retentionMs, logger, targets } = options
  await deliveryStore.see(targets())
  const repaired = await deliveryStore.repairLanes()
  const abandoned = await exhaustAbandoned(options)
  const pruned = await deliveryStore.prune(retentionMs)
  if (repaired + abandoned + pruned > 0) logger.info({ repaired, abandoned, pruned }, 'delivery table maintained')
}

/**
 * Exhausts deliveries to targets that no instance is configured for any more. They wait for such an
 * instance until they reach the maximum age.
 */
async function exhaustAbandoned(options: MaintenanceOptions): Promise<number> {
  const { deliveryStore, results, targets, policy, instanceID, leaseMs } = options
  let abandoned = 0
  for (const { target } of await deliveryStore.backlog()) {
    if (targets().includes(target)) continue
    const overdue = { overdueMs: policy.maxAgeMs, maxLanes: lanesAtOnce, maxPerLane: lanesAtOnce, instanceID, leaseMs }
    const { deliveries } = await deliveryStore.claim(target, overdue)
    for (const delivery of deliveries) {
      results.add({ delivery, result: resultOf(delivery, notConfigured, policy, 0) })
      results.free(laneOf(delivery, 0))
    }
    abandoned += deliveries.length
  }
  return abandoned
}

const notConfigured = {
  kind: 'refused',
  code: 'TARGET_NOT_CONFIGURED',
  reason: 'no instance is configured for this target any more'
} as const
