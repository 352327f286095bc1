import type { Logger } from '@orderly/service-kit'
import type { ClaimedDelivery, FreedLane, Ledger, SettledDelivery } from '../store/ledger.ts'

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
  readonly ledger: Pick<Ledger, 'settle'>
  readonly giveUp: (settled: readonly SettledDelivery[]) => Promise<void>
  readonly retry: <Result>(work: () => Promise<Result>) => Promise<Result>
  readonly logger: Logger
  /** Receives the settled deliveries, and the targets of delivery lanes that have more of them. */
  readonly onSettled: (settled: readonly SettledDelivery[], dueAgain: ReadonlySet<string>) => void
}

const deadLetterRetryMs = 30_000

export function createSettlements({ ledger, giveUp, retry, logger, onSettled }: SettlementsOptions): Settlements {
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
    const parted = await parkGivenUp(batch)
    const given = freed.map(lane =>
      postponedLanes.delete(keyOf(lane)) ? { ...lane, retryInMs: deadLetterRetryMs } : lane
    )
    try {
      onSettled(parted, await retry(() => ledger.settle(parted, given)))
    } catch (error) {
      logger.error(
        { event: 'attempts_not_stored', error, deliveries: parted.length },
        'failed to store attempts, they will be repeated'
      )
    }
  }

  async function parkGivenUp(batch: readonly SettledDelivery[]): Promise<readonly SettledDelivery[]> {
    const givenUp = batch.filter(({ settlement }) => settlement.status === 'given-up')
    if (givenUp.length === 0) return batch
    try {
      await giveUp(givenUp)
      return batch
    } catch (error) {
      logger.error(
        { event: 'notification_dead_letters_not_written', error, deliveries: givenUp.length },
        'failed to write dead letters, will retry later'
      )
      for (const { delivery } of givenUp) postponedLanes.add(keyOf(laneOf(delivery, 0)))
      return batch.map(each => (each.settlement.status === 'given-up' ? postponed(each) : each))
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
