import type { Logger } from '@orderly/service-kit'
import type { ClaimedDelivery, DeliveryStore, FreedLane, SettledDelivery } from '../store/delivery-store.ts'

/**
 * Writes results of attempts and released delivery lanes to the delivery table. Whatever is added
 * during a write is part of the next write. So writes grow with the load, and are immediate under
 * low load.
 *
 * Dead letters are written before their deliveries are settled: a crash between the two writes a
 * dead letter twice instead of losing it. If dead letters cannot be written, their deliveries
 * become due again and are exhausted later.
 */
export interface Settlements {
  add(settled: SettledDelivery): void
  free(lane: FreedLane): void
  /** Resolves when everything that was added before is written, or has exceeded its retries. */
  drained(): Promise<void>
}

export interface SettlementsOptions {
  readonly deliveryStore: Pick<DeliveryStore, 'settle'>
  readonly exhaust: (settled: readonly SettledDelivery[]) => Promise<void>
  readonly retry: <Result>(work: () => Promise<Result>) => Promise<Result>
  readonly logger: Logger
  /** Receives the settled deliveries, and the targets of delivery lanes that have more of them. */
  readonly onSettled: (settled: readonly SettledDelivery[], dueAgain: ReadonlySet<string>) => void
}

const deadLetterRetryMs = 30_000

export function createSettlements({
  deliveryStore,
  exhaust,
  retry,
  logger,
  onSettled
}: SettlementsOptions): Settlements {
  let settled: SettledDelivery[] = []
  let lanes: FreedLane[] = []
  let writing: Promise<void> | undefined
  /** Delivery lanes, not yet released, with a delivery whose dead letter could not be written. */
  const postponedLanes = new Set<string>()

  function write(): void {
    writing ??= writeAll().finally(() => {
      writing = undefined
      if (settled.length > 0 || lanes.length > 0) write()
    })
  }

  async function writeAll(): Promise<void> {
    // Waits until everything that is ready in this turn of the event loop has been added.
    await Promise.resolve()
    const batch = settled
    const freed = lanes
    settled = []
    lanes = []
    const parted = await deadLetterExhausted(batch)
    const given = freed.map(lane =>
      postponedLanes.delete(keyOf(lane)) ? { ...lane, retryInMs: deadLetterRetryMs } : lane
    )
    try {
      onSettled(parted, await retry(() => deliveryStore.settle(parted, given)))
    } catch (error) {
      logger.error(
        { event: 'attempts_not_stored', error, deliveries: parted.length },
        'failed to store attempts, they will be repeated'
      )
    }
  }

  async function deadLetterExhausted(batch: readonly SettledDelivery[]): Promise<readonly SettledDelivery[]> {
    const exhausted = batch.filter(({ settlement }) => settlement.status === 'exhausted')
    if (exhausted.length === 0) return batch
    try {
      await exhaust(exhausted)
      return batch
    } catch (error) {
      logger.error(
        { event: 'notification_dead_letters_not_written', error, deliveries: exhausted.length },
        'failed to write dead letters, will retry later'
      )
      for (const { delivery } of exhausted) postponedLanes.add(keyOf(laneOf(delivery, 0)))
      return batch.map(each => (each.settlement.status === 'exhausted' ? postponed(each) : each))
    }
  }

  return {
    add(each) {
      settled.push(each)
      write()
    },
    free(lane) {
      lanes.push(lane)
      write()
    },
    async drained() {
      while (writing !== undefined) await writing
    }
  }
}

function postponed({ delivery, settlement }: SettledDelivery): SettledDelivery {
  const failure = 'failure' in settlement ? settlement.failure : undefined
  const { attempts } = settlement
  return {
    delivery,
    settlement: { status: 'due', attempts, retryInMs: deadLetterRetryMs, ...(failure && { failure }) }
  }
}

const keyOf = ({ target, caller, userID, claim }: FreedLane): string => JSON.stringify([target, caller, userID, claim])

export function laneOf({ target, notification, claim }: ClaimedDelivery, retryInMs: number): FreedLane {
  return { target, caller: notification.caller, userID: notification.userID, claim, retryInMs }
}
