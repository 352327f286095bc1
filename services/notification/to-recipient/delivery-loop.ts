import { recordKey } from '@orderly/contracts'
import { childTraceparent, type Logger } from '@orderly/service-kit'
import { type Attempt, pauseMs, type RetryPolicy, settle } from '../domain/delivery.ts'
import type { ClaimedDelivery, Ledger } from '../store/ledger.ts'
import { attempt } from './attempt.ts'
import { laneOf, type Settlements } from './settlements.ts'
import type { Sink } from './sink.ts'

/**
 * Sends what is due to one target; each target has a loop of its own, so that a slow one holds up nobody else. States:
 *
 * - **claiming**: takes as many lanes in hand as it has room for
 * - **sending**: each lane's deliveries one after the other, the lanes beside each other, while it claims further ones
 * - **waiting**: nothing more is due, or there is no room. `wake` ends that, or the time after which it looks again by itself
 * - **stopping**: claims and begins nothing more; what is on its way is waited for, then aborted
 *
 * After a failure the target gets half as many requests at once, after a success one more again. A target that asks for a
 * pause (Retry-After) gets it as a whole, from all instances: the ledger remembers it, so that it outlives a restart.
 */
export interface DeliveryLoop {
  /** Something may be due. */
  wake(): void
  /** @param graceMs how long to wait for what is on its way */
  stop(graceMs: number): Promise<void>
}

export interface DeliveryOptions {
  readonly ledger: Ledger
  readonly settlements: Settlements
  readonly policy: RetryPolicy
  readonly instanceID: string
  readonly leaseMs: number
  readonly pollMs: number
  readonly logger: Logger
  readonly observer: DeliveryObserver
}

export interface DeliveryObserver {
  attempted(event: Attempted): void
}

export interface Attempted {
  readonly delivery: ClaimedDelivery
  readonly attempt: Attempt
  /** The attempt's own step in the trace of the order. */
  readonly traceparent: string
  /** Whether somebody can look that up. */
  readonly isRecorded?: boolean
  readonly durationMs: number
}

const maxPerLane = 20

export function startDelivering(sink: Sink, options: DeliveryOptions): DeliveryLoop {
  const { ledger, settlements, policy, instanceID, leaseMs, pollMs, logger, observer } = options
  const { target } = sink
  const aborting = new AbortController()
  let isStopping = false
  let isWoken = false
  let resume: (() => void) | undefined
  let pausedUntilMs = 0
  let room = sink.concurrency
  const busy = new Set<Promise<void>>()
  /** More may be due than there was room for; if not, there is nothing to look for when a lane is done. */
  let hasMore = false

  async function run(): Promise<void> {
    while (!isStopping) {
      const leftMs = pausedUntilMs - performance.now()
      const free = Math.floor(room) - busy.size
      if (leftMs > 0 || free <= 0) {
        hasMore = true
        await rest(leftMs > 0 ? leftMs : pollMs)
        continue
      }
      isWoken = false
      hasMore = await claim(free)
      if (!hasMore && !isWoken && !isStopping) await rest(pollMs)
    }
    await Promise.all(busy)
  }

  /** @returns whether more may be due */
  async function claim(maxLanes: number): Promise<boolean> {
    const claimedAtMs = performance.now()
    try {
      const { deliveries, isSwitchedOff, isLimited, pausedMs } = await ledger.claim(target, {
        instanceID,
        maxLanes,
        maxPerLane,
        leaseMs
      })
      pause(pausedMs)
      for (const lane of Map.groupBy(deliveries, ({ notification }) => recordKey(notification)).values()) {
        const working = work(lane, claimedAtMs, isSwitchedOff).finally(() => {
          busy.delete(working)
          if (hasMore) wake()
        })
        busy.add(working)
      }
      return isLimited
    } catch (error) {
      logger.warn({ error, target }, 'what is due cannot be read; trying again')
      return false
    }
  }

  async function work(lane: readonly ClaimedDelivery[], claimedAtMs: number, isSwitchedOff: boolean): Promise<void> {
    let retryInMs: number | undefined
    for (const delivery of lane) {
      const isTooLate = performance.now() - claimedAtMs + sink.timeoutMs > leaseMs
      const made: Attempt =
        isStopping || isTooLate || retryInMs !== undefined
          ? { kind: 'released' }
          : isSwitchedOff
            ? { kind: 'unwanted' }
            : await send(delivery)
      const settlement = settle(delivery, made, policy, Math.random())
      settlements.add({ delivery, settlement })
      if (settlement.status === 'due' && made.kind === 'failed') retryInMs = settlement.retryInMs
    }
    const [first] = lane
    if (first !== undefined) settlements.free(laneOf(first, retryInMs ?? 0))
  }

  async function send(delivery: ClaimedDelivery): Promise<Attempt> {
    const startMs = performance.now()
    const traceparent = childTraceparent(delivery.traceparent)
    const made = await noticeGone(await attempt(sink, { ...delivery, traceparent }, policy, aborting.signal))
    observer.attempted({ delivery, attempt: made, traceparent, durationMs: performance.now() - startMs })
    if (made.kind === 'sent') room = Math.min(sink.concurrency, room + 1)
    if (made.kind === 'failed') {
      room = Math.max(1, room / 2)
      await rememberPause(pauseMs(made, policy))
    }
    return made
  }

  function pause(ms: number): void {
    pausedUntilMs = Math.max(pausedUntilMs, performance.now() + ms)
  }

  async function rememberPause(ms: number): Promise<void> {
    if (ms === 0) return
    pause(ms)
    logger.info({ target, pauseMs: ms }, 'target asks for a pause')
    await ledger.pause(sink, ms).catch(error => {
      const event = 'notification_pause_not_stored'
      logger.warn({ event, error, target }, 'pause cannot be stored; other instances do not know it')
    })
  }

  async function noticeGone(made: Attempt): Promise<Attempt> {
    if (made.kind !== 'gone') return made
    try {
      await ledger.switchOff(sink, made.reason)
      logger.error({ target, reason: made.reason }, 'the target wants nothing any more and is switched off')
      return made
    } catch (error) {
      logger.warn({ error, target }, 'that the target is gone cannot be remembered; trying again')
      return { kind: 'failed', code: 'TARGET_GONE', reason: made.reason }
    }
  }

  /** Until something happens, or for so long. */
  async function rest(longestMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, longestMs)
    resume = resolve
    await promise
    clearTimeout(timer)
    resume = undefined
  }

  function wake(): void {
    isWoken = true
    resume?.()
  }

  const running = run()
  return {
    wake,
    async stop(graceMs) {
      isStopping = true
      wake()
      const timer = setTimeout(() => aborting.abort(new Error('the service stops')), graceMs)
      await running
      clearTimeout(timer)
    }
  }
}
