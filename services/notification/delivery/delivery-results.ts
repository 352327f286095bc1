import { inGroups } from '@orderly/batching'
import { recordKey } from '@orderly/contracts'
import { deadLetterHeaders, deadLetterTopic, type OutputRecord } from '@orderly/kafka'
import type { Logger } from '@orderly/service-kit'
import type { Delivery, Failure } from '../domain/delivery.ts'
import type { AttemptedDelivery, ClaimedDelivery, DeliveryStore, FreedLane } from '../store/delivery-store.ts'

/**
 * Writes results of attempts and released delivery lanes to the delivery table, in groups: whatever
 * is added during a write is part of the next one.
 *
 * Dead letters are written before the results of their deliveries: a crash between the two writes a
 * dead letter twice instead of losing it. If dead letters cannot be written, their deliveries
 * become due again and are exhausted later.
 */
export interface ResultWriter {
  add(attempted: AttemptedDelivery): void
  /** Releases a delivery lane after the results that were added before. */
  free(lane: FreedLane): void
  /** Resolves when everything that was added before is written, or has exceeded its retries. */
  drained(): Promise<void>
}

export interface ResultWriterOptions {
  readonly deliveryStore: Pick<DeliveryStore, 'saveResults'>
  readonly exhaust: (attempted: readonly AttemptedDelivery[]) => Promise<void>
  readonly retry: <Result>(work: () => Promise<Result>) => Promise<Result>
  readonly logger: Logger
  /** Receives the saved results, and the targets of delivery lanes that have more deliveries. */
  readonly onSaved: (attempted: readonly AttemptedDelivery[], dueAgain: ReadonlySet<string>) => void
}

type Change = { readonly attempted: AttemptedDelivery } | { readonly lane: FreedLane }

const deadLetterRetryMs = 30_000

export function createResultWriter(options: ResultWriterOptions): ResultWriter {
  const { deliveryStore, exhaust, retry, logger, onSaved } = options
  const write = inGroups(writeGroup, { maxItems: Number.POSITIVE_INFINITY })
  const pending = new Set<Promise<unknown>>()
  /** Delivery lanes, not yet released, with a delivery whose dead letter could not be written. */
  const postponedLanes = new Set<string>()

  async function writeGroup(changes: readonly Change[]): Promise<readonly undefined[]> {
    const results = await deadLetterExhausted(
      changes.flatMap(change => ('attempted' in change ? change.attempted : []))
    )
    const lanes = changes.flatMap(change => ('lane' in change ? change.lane : []))
    const freed = lanes.map(lane =>
      postponedLanes.delete(keyOf(lane)) ? { ...lane, retryInMs: deadLetterRetryMs } : lane
    )
    try {
      onSaved(results, await retry(() => deliveryStore.saveResults(results, freed)))
    } catch (error) {
      logger.error(
        { event: 'attempts_not_stored', error, deliveries: results.length },
        'failed to store attempts, they will be repeated'
      )
    }
    return []
  }

  async function deadLetterExhausted(results: readonly AttemptedDelivery[]): Promise<readonly AttemptedDelivery[]> {
    const exhausted = results.filter(({ result }) => result.status === 'exhausted')
    if (exhausted.length === 0) return results
    try {
      await exhaust(exhausted)
      return results
    } catch (error) {
      logger.error(
        { event: 'notification_dead_letters_not_written', error, deliveries: exhausted.length },
        'failed to write dead letters, will retry later'
      )
      for (const { delivery } of exhausted) postponedLanes.add(keyOf(laneOf(delivery, 0)))
      return results.map(each => (each.result.status === 'exhausted' ? postponed(each) : each))
    }
  }

  function add(change: Change): void {
    const written = write(change).finally(() => pending.delete(written))
    pending.add(written)
  }

  return {
    add: attempted => add({ attempted }),
    free: lane => add({ lane }),
    async drained() {
      while (pending.size > 0) await Promise.all(pending)
    }
  }
}

function postponed({ delivery, result }: AttemptedDelivery): AttemptedDelivery {
  const failure = 'failure' in result ? result.failure : undefined
  const { attempts } = result
  return { delivery, result: { status: 'due', attempts, retryInMs: deadLetterRetryMs, ...(failure && { failure }) } }
}

const keyOf = ({ target, caller, userID, claim }: FreedLane): string => JSON.stringify([target, caller, userID, claim])

export function laneOf({ target, notification, claim }: ClaimedDelivery, retryInMs: number): FreedLane {
  return { target, caller: notification.caller, userID: notification.userID, claim, retryInMs }
}

/**
 * Dead-letter topic of deliveries. It is separate from those of the result topics: a failed
 * delivery blocks neither keys of the results nor other targets.
 */
export const notificationsDeadLetterTopic = deadLetterTopic('notifications')

/** Returns the dead letters of the exhausted deliveries. */
export function toDeadLetters(attempted: readonly AttemptedDelivery[]): OutputRecord[] {
  return attempted.flatMap(({ delivery, result }) =>
    result.status === 'exhausted' ? toDeadLetter(delivery, result.attempts, result.failure) : []
  )
}

/**
 * Returns the dead letter of a delivery. It contains everything that is needed to understand the
 * delivery and to send it manually; its key is the owner of the order.
 */
function toDeadLetter(delivery: Delivery, attempts: number, { code, reason }: Failure): OutputRecord {
  const { target, notification, traceparent, ageMs } = delivery
  return {
    topic: notificationsDeadLetterTopic,
    key: recordKey(notification),
    value: Buffer.from(JSON.stringify({ target, notification, attempts, ageMs: Math.round(ageMs), code, reason })),
    headers: deadLetterHeaders(
      {
        'event-id': notification.id,
        'content-type': 'application/json',
        traceparent,
        ...(notification.caller !== undefined && { caller: notification.caller }),
        'notification-target': target
      },
      { stage: 'notification-delivery', code, reason }
    )
  }
}
