import { KafkaError } from '../errors.ts'

/** A pending `send` call. */
export interface PendingSend {
  readonly records: number
  readonly bytes: number
  /** Number of records that are not acknowledged yet. */
  remaining: number
  /** True once the call was resolved or rejected; its unsent records can then be dropped. */
  hasEnded: boolean
  readonly deadlineMs: number
  readonly resolve: () => void
  readonly reject: (reason: unknown) => void
}

/** A signal and its pending calls, with one listener for all of them. */
interface WatchedSignal {
  readonly calls: Set<PendingSend>
  readonly onAbort: () => void
}

const sweepIntervalMs = 20

/**
 * Pending `send` calls. They are bounded by their records and bytes, and each is answered by its
 * own deadline, whatever its records are waiting for. All have the same timeout, so the oldest
 * always expires next.
 */
export class PendingSends {
  readonly #timeoutMs: number
  readonly #maxRecords: number
  readonly #maxBytes: number
  readonly #waiting = new Set<PendingSend>()
  readonly #bySignal = new Map<AbortSignal, WatchedSignal>()
  #records = 0
  #bytes = 0
  #sweeper: NodeJS.Timeout | undefined

  constructor(timeoutMs: number, { maxRecords, maxBytes }: { maxRecords: number; maxBytes: number }) {
    this.#timeoutMs = timeoutMs
    this.#maxRecords = maxRecords
    this.#maxBytes = maxBytes
  }

  /**
   * Registers a call. A call that alone exceeds the byte limit is accepted if no other is pending.
   * @throws KafkaError PRODUCER_QUEUE_FULL
   */
  open(records: number, bytes: number): { call: PendingSend; answer: Promise<void> } {
    const hasTooManyBytes = this.#bytes + bytes > this.#maxBytes && !this.isEmpty
    if (this.#records + records > this.#maxRecords || hasTooManyBytes) {
      const message = `the queue is full: ${this.#records} records of ${this.#bytes} bytes are pending. Try again later`
      throw new KafkaError('PRODUCER_QUEUE_FULL', message, { retryable: true })
    }
    this.#records += records
    this.#bytes += bytes
    const { promise: answer, resolve, reject } = Promise.withResolvers<void>()
    const deadlineMs = performance.now() + this.#timeoutMs
    const call: PendingSend = { records, bytes, remaining: records, hasEnded: false, deadlineMs, resolve, reject }
    this.#waiting.add(call)
    this.#sweeper ??= setInterval(() => this.#expire(), sweepIntervalMs)
    return { call, answer }
  }

  /** Records that one record of the call was written. */
  acknowledge(call: PendingSend): void {
    if (--call.remaining === 0 && this.#end(call)) call.resolve()
  }

  /** Rejects a call with a KafkaError, or with the reason of a signal. */
  fail(call: PendingSend, reason: unknown): void {
    if (this.#end(call)) call.reject(reason)
  }

  failAll(reason: unknown): void {
    for (const call of this.#waiting) this.fail(call, reason)
  }

  /** Returns the answer of a call, and rejects the call when the signal aborts. */
  async abortable(call: PendingSend, answer: Promise<void>, signal: AbortSignal): Promise<void> {
    const own = this.#bySignal.get(signal) ?? this.#watch(signal)
    own.calls.add(call)
    try {
      await answer
    } finally {
      own.calls.delete(call)
      if (own.calls.size === 0) {
        signal.removeEventListener('abort', own.onAbort)
        this.#bySignal.delete(signal)
      }
    }
  }

  #watch(signal: AbortSignal): WatchedSignal {
    const calls = new Set<PendingSend>()
    const onAbort = () => {
      for (const call of calls) this.fail(call, signal.reason)
    }
    const watched = { calls, onAbort }
    signal.addEventListener('abort', onAbort)
    this.#bySignal.set(signal, watched)
    return watched
  }

  get isEmpty(): boolean {
    return this.#waiting.size === 0
  }

  #end(call: PendingSend): boolean {
    if (call.hasEnded) return false
    call.hasEnded = true
    this.#records -= call.records
    this.#bytes -= call.bytes
    this.#waiting.delete(call)
    if (this.isEmpty) {
      clearInterval(this.#sweeper)
      this.#sweeper = undefined
    }
    return true
  }

  #expire(): void {
    const nowMs = performance.now()
    for (const call of this.#waiting) {
      if (call.deadlineMs > nowMs) return
      this.fail(
        call,
        new KafkaError('DELIVERY_TIMEOUT', `not acknowledged within ${this.#timeoutMs} ms`, { retryable: true })
      )
    }
  }
}
