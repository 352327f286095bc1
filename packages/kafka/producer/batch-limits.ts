/** Refusals of the records themselves: the broker appended nothing, and the same records are refused again at any time. */
export const recordRefusals: ReadonlySet<string> = new Set([
  'MESSAGE_TOO_LARGE',
  'RECORD_LIST_TOO_LARGE',
  'INVALID_RECORD',
  'INVALID_TIMESTAMP'
])

const sizeRefusals: ReadonlySet<string> = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE'])

/** A broker accepts 1 MiB by default (`message.max.bytes`). */
const defaultBytes = 900_000
const leastBytes = 1_024
/** An operator may have raised the limit meanwhile. */
const rememberedMs = 600_000

/**
 * How many bytes a batch of each topic may have. Starts at 900 kB and is halved whenever the topic refuses a batch for its size
 * (`max.message.bytes`, `segment.bytes`), so that later batches are not refused first.
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

  /** @param code of the refusal; nothing is learnt from one that is not about the size */
  refused(topic: string, bytes: number, code: string): void {
    if (!sizeRefusals.has(code)) return
    const half = Math.max(leastBytes, Math.floor(bytes / 2))
    this.#lowered.set(topic, { bytes: Math.min(half, this.of(topic)), untilMs: performance.now() + rememberedMs })
  }
}
