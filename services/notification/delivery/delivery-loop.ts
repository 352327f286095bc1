import { recordKey } from '@orderly/contracts'
import { childTraceparent, type Logger } from '@orderly/service-kit'
import { type Attempt, type Delivery, type Failure, pauseMs, type RetryPolicy, resultOf } from '../domain/delivery.ts'
import type { ClaimedDelivery, DeliveryStore } from '../store/delivery-store.ts'
import { laneOf, type ResultWriter } from './delivery-results.ts'
import { type Sink, SinkError, targetGone } from './sink.ts'

/**
 * Sends the due deliveries of one target. Each target has a separate loop, so that a slow target
 * delays no other. States:
 *
 * - **claiming**: claims as many delivery lanes as it has free slots
 * - **sending**: sends the deliveries of a lane one after the other, and several lanes
 *   concurrently, while it claims further lanes
 * - **waiting**: nothing more is due, or no slot is free; ends with `wake` or after `pollMs`
 * - **stopping**: claims and starts nothing more; deliveries in flight are awaited, then aborted
 *
 * A failure halves the number of concurrent requests, and a success adds one. A pause that a target
 * requests with Retry-After applies to the whole target and to all instances. It is stored in the
 * delivery table, so it outlives a restart.
 */
export interface DeliveryLoop {
  /** Makes the loop poll, because a delivery may be due. */
  wake(): void
  /** Stops the loop. @param graceMs maximum time to wait for deliveries in flight */
  stop(graceMs: number): Promise<void>
}

export interface DeliveryOptions {
  readonly deliveryStore: DeliveryStore
  readonly results: ResultWriter
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
  /** Span of the attempt in the trace of the order. */
  readonly traceparent: string
  /** True if that span is recorded. */
  readonly isRecorded?: boolean
  readonly durationMs: number
}

const maxPerLane = 20

export function startDelivering(sink: Sink, options: DeliveryOptions): DeliveryLoop {
  const { deliveryStore, results, policy, instanceID, leaseMs, pollMs, logger, observer } = options
  const { target } = sink
  const aborting = new AbortController()
  let isStopping = false
  let isWoken = false
  let resume: (() => void) | undefined
  let pausedUntilMs = 0
  let room = sink.concurrency
  const busy = new Set<Promise<void>>()
  /**
   * True if more may be due than there were free slots. If false, the loop need not poll when a
   * lane is done.
   */
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

  /** Claims delivery lanes and starts sending them. @returns true if more may be due */
  async function claim(maxLanes: number): Promise<boolean> {
    const claimedAtMs = performance.now()
    try {
      const { deliveries, isDisabled, isLimited, pausedMs } = await deliveryStore.claim(target, {
        instanceID,
        maxLanes,
        maxPerLane,
        leaseMs
      })
      pause(pausedMs)
      for (const lane of Map.groupBy(deliveries, ({ notification }) => recordKey(notification)).values()) {
        const working = work(lane, claimedAtMs, isDisabled).finally(() => {
          busy.delete(working)
          if (hasMore) wake()
        })
        busy.add(working)
      }
      return isLimited
    } catch (error) {
      logger.warn({ event: 'due_deliveries_unclaimed', error, target }, 'failed to claim due deliveries, retrying')
      return false
    }
  }

  async function work(lane: readonly ClaimedDelivery[], claimedAtMs: number, isDisabled: boolean): Promise<void> {
    let retryInMs: number | undefined
    for (const delivery of lane) {
      const isTooLate = performance.now() - claimedAtMs + sink.timeoutMs > leaseMs
      const made: Attempt =
        isStopping || isTooLate || retryInMs !== undefined
          ? { kind: 'released' }
          : isDisabled
            ? { kind: 'unwanted' }
            : await send(delivery)
      const result = resultOf(delivery, made, policy, Math.random())
      results.add({ delivery, result })
      if (result.status === 'due' && made.kind === 'failed') retryInMs = result.retryInMs
    }
    const [first] = lane
    if (first !== undefined) results.free(laneOf(first, retryInMs ?? 0))
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
    logger.info({ target, pauseMs: ms }, 'target requested a pause')
    await deliveryStore.pause(sink, ms).catch(error => {
      const event = 'notification_pause_not_stored'
      logger.warn({ event, error, target }, 'failed to store a pause, other instances do not know it')
    })
  }

  async function noticeGone(made: Attempt): Promise<Attempt> {
    if (made.kind !== 'gone') return made
    try {
      await deliveryStore.disable(sink, made.reason)
      logger.error({ event: 'target_disabled', target, reason: made.reason }, 'target answered 410 Gone, disabling it')
      return made
    } catch (error) {
      logger.warn(
        { event: 'target_not_disabled', error, target },
        'failed to disable a target that answered 410 Gone, retrying'
      )
      return { kind: 'failed', code: 'TARGET_GONE', reason: made.reason }
    }
  }

  /** Waits for `wake`, at most `longestMs`. */
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
      const timer = setTimeout(() => aborting.abort(new Error('the service is stopping')), graceMs)
      await running
      clearTimeout(timer)
    }
  }
}

/** Wakes the loops of the targets; a target without a loop has no sink here. */
export function wakeAll(loops: ReadonlyMap<string, DeliveryLoop>, targets: Iterable<string>): void {
  for (const target of targets) loops.get(target)?.wake()
}

/** Attempts a delivery once. Any thrown error becomes a failed attempt. */
async function attempt(
  sink: Sink,
  { notification, traceparent, attempts, lastFailure }: Delivery,
  { maxAttempts }: Pick<RetryPolicy, 'maxAttempts'>,
  signal: AbortSignal
): Promise<Attempt> {
  // Every previous attempt ended with a crashed instance before its result was stored.
  if (attempts >= maxAttempts) return { kind: 'refused', ...(lastFailure ?? lost) }
  try {
    await sink.deliver(notification, { traceparent, signal })
    return { kind: 'sent' }
  } catch (error) {
    if (!(error instanceof SinkError)) return { kind: 'failed', ...failureOf(error) }
    const failure = failureOf(error)
    if (error.code === targetGone) return { kind: 'gone', reason: failure.reason }
    if (!error.retryable) return { kind: 'refused', ...failure }
    return { kind: 'failed', ...failure, ...(error.retryAfterMs !== undefined && { retryAfterMs: error.retryAfterMs }) }
  }
}

const lost: Failure = {
  code: 'INSTANCE_LOST',
  reason: 'every instance that attempted the delivery ended before it stored the result'
}

const longestReason = 500

/**
 * Returns code and reason of an error. Other systems wrote parts of it, so control characters are
 * removed (Postgres cannot store NUL) and the length is limited.
 */
function failureOf(error: unknown): Failure {
  const { code, name, message } = (error ?? {}) as { code?: unknown; name?: unknown; message?: unknown }
  const text = (value: unknown) => (typeof value === 'string' && value !== '' ? value : undefined)
  const clean = (value: string) => value.replace(/[\p{Cc}\p{Cs}]+/gu, ' ')
  return {
    code: clean(text(code) ?? text(name) ?? 'UNKNOWN').slice(0, 64),
    reason: clean(text(message) ?? String(error)).slice(0, longestReason)
  }
}
