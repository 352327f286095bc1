import type { Logger } from '@orderly/service-kit'
import type { ClaimedDelivery, FreedLane, Ledger, SettledDelivery } from '../store/ledger.ts'

/**
 * Writes attempts and freed lanes to the ledger. What comes while a write is under way goes with the next one, so writes grow
 * with the load and come at once when there is little.
 *
 * What is given up is put into the dead letters first: a crash between the two puts it there twice rather than nowhere. When
 * that fails, it is due again, and given up then.
 */
export interface Settlements {
  add(settled: SettledDelivery): void
  free(lane: FreedLane): void
  /** Resolves when everything that was added until then is written, or was too often refused. */
  drained(): Promise<void>
}

export interface SettlementsOptions {
  readonly ledger: Pick<Ledger, 'settle'>
  readonly giveUp: (settled: readonly SettledDelivery[]) => Promise<void>
  readonly retry: <Result>(work: () => Promise<Result>) => Promise<Result>
  readonly logger: Logger
  /** What was written, and the targets of lanes that have more to do. */
  readonly onSettled: (settled: readonly SettledDelivery[], dueAgain: ReadonlySet<string>) => void
}

const deadLetterRetryMs = 30_000

export function createSettlements({ ledger, giveUp, retry, logger, onSettled }: SettlementsOptions): Settlements {
  let settled: SettledDelivery[] = []
  let lanes: FreedLane[] = []
  let writing: Promise<void> | undefined
  /** Have a delivery that could not be given up, and are not given back yet. */
  const postponedLanes = new Set<string>()

  function write(): void {
    writing ??= writeAll().finally(() => {
      writing = undefined
      if (settled.length > 0 || lanes.length > 0) write()
    })
  }

  async function writeAll(): Promise<void> {
    // Lets everything in that is ready in this turn of the event loop.
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
      logger.error({ error, deliveries: parted.length }, 'attempts could not be remembered; they will be made again')
    }
  }

  async function parkGivenUp(batch: readonly SettledDelivery[]): Promise<readonly SettledDelivery[]> {
    const givenUp = batch.filter(({ settlement }) => settlement.status === 'given-up')
    if (givenUp.length === 0) return batch
    try {
      await giveUp(givenUp)
      return batch
    } catch (error) {
      logger.error({ error, deliveries: givenUp.length }, 'the dead letters cannot be written; trying again later')
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
