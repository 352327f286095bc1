/**
 * Error codes that reject the records themselves: the broker appended nothing, and would reject the
 * same records again.
 */
export const recordRefusals: ReadonlySet<string> = new Set([
  'MESSAGE_TOO_LARGE',
  'RECORD_LIST_TOO_LARGE',
  'INVALID_RECORD',
  'INVALID_TIMESTAMP'
])

const sizeRefusals: ReadonlySet<string> = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE'])

/** Initial limit; a broker accepts 1 MiB by default (`message.max.bytes`). */
const defaultBytes = 900_000
const leastBytes = 1_024
/**
 * Time after which a lowered limit expires, because an operator may have raised the topic's limit.
 */
const rememberedMs = 600_000

/**
 * Maximum batch size of each topic. It starts at 900 kB and is halved whenever the topic rejects a
 * batch for its size (`max.message.bytes`, `segment.bytes`). Later batches then fit immediately.
 */
export class BatchLimits {
  readonly #lowered = new Map<string, { readonly bytes: number; readonly untilMs: number }>()

  of(topic: string): number {
    const lowered = this.#lowered.size === 0 ? undefined : this.#lowered.get(topic)
    if (lowered === undefined) return defaultBytes
    if (lowered.untilMs > performance.now()) return lowered.bytes
    this.#lowered.delete(topic)
    return defaultBytes
  }

  /** Lowers the limit after a rejected batch. Codes that do not concern the size have no effect. */
  refused(topic: string, bytes: number, code: string): void {
    if (!sizeRefusals.has(code)) return
    const half = Math.max(leastBytes, Math.floor(bytes / 2))
    this.#lowered.set(topic, { bytes: Math.min(half, this.of(topic)), untilMs: performance.now() + rememberedMs })
  }
}
