import type { Logger } from '@orderly/service-kit'
import type { Caller } from '../caller.ts'
import { createQuota, type Quota } from '../quota/quota.ts'
import { hashOf, isApiKey } from './api-key.ts'
import type { ApiKeyStore, StoredKey } from './key-store.ts'

/**
 * All valid keys in memory, so that no request waits for the database. States: **unknown** (never read) → **fresh** (read within the
 * last `refreshMs`) ⇄ **stale** (the database did not answer since; its keys count on) → **too old** (not read for `trustMs`).
 *
 * - A key that was revoked is known for `refreshMs` at most, or for as long as the database cannot be read, but never for more than `trustMs`.
 * - What a key holds open (`ended`) ends when the next reading does not have the key any more, or when the keys are too old.
 * - A key that is not known is looked for at once, with all others that are not known at the moment, but not more often than every
 *   `leastGapMs`: one that was just made works, and whoever sends rubbish does not load the database.
 */
export interface KnownCallers {
  /**
   * Undefined: there is no such key.
   * @throws CallersUnavailableError (or rejects with it) when the keys are unknown or too old, or it is not known and the database does not answer
   */
  find(key: string): KnownCaller | undefined | Promise<KnownCaller | undefined>
  /** Whether keys can be told at all. */
  isReady(): boolean
  /** Since they were last read; infinite when they never were. */
  ageMs(): number
  /** Resolves when they have been read for the first time. */
  readonly loaded: Promise<void>
  stop(): void
}

export interface KnownCaller extends Caller {
  readonly quota: Quota
  readonly ended: AbortSignal
}

export interface KnownCallersOptions {
  readonly refreshMs: number
  readonly trustMs: number
  readonly requestsPerMinute: number
  readonly leastGapMs?: number
  readonly logger: Logger
  readonly nowMs?: () => number
}

export class CallersUnavailableError extends Error {
  readonly code = 'CALLERS_UNAVAILABLE'
  readonly retryable = true

  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'CallersUnavailableError'
  }
}

type Entry = KnownCaller & Pick<StoredKey, 'expiresAtMs'>

export function createKnownCallers(store: ApiKeyStore, options: KnownCallersOptions): KnownCallers {
  const { refreshMs, trustMs, requestsPerMinute, leastGapMs = 250, logger, nowMs = monotonicMs } = options
  const quotas = new Map<string, Quota>()
  /** By the hash of their key; only of keys that hold something open, or have. */
  const ends = new Map<string, AbortController>()
  const first = Promise.withResolvers<void>()
  let byHash: ReadonlyMap<string, Entry> = new Map()
  /** Of the keys that were used since: hashing it would take a request a fifth of what being asked for a key costs it. */
  let hashes = new Map<string, string>()
  let readAtMs = Number.NEGATIVE_INFINITY
  let startedAtMs = Number.NEGATIVE_INFINITY
  let isStopped = false
  let isFailing = false
  let timer: NodeJS.Timeout | undefined
  let reading: Promise<void> | undefined

  async function readOnce(): Promise<void> {
    await new Promise(resolve => setTimeout(resolve, Math.max(0, startedAtMs + leastGapMs - nowMs())))
    startedAtMs = nowMs()
    const askedAtMs = nowMs()
    try {
      const keys = await store.valid()
      byHash = new Map(keys.map(key => [key.hash, toEntry(key)]))
      endAll(hash => !byHash.has(hash))
      hashes = new Map()
      const names = new Set(keys.map(({ name }) => name))
      for (const name of quotas.keys()) if (!names.has(name)) quotas.delete(name)
      readAtMs = askedAtMs
      if (isFailing) logger.info({ keys: keys.length }, 'API keys can be read again')
      isFailing = false
      first.resolve()
    } catch (error) {
      if (!isFailing) logger.warn({ error }, 'API keys cannot be read: those that are known count on, no others')
      isFailing = true
      throw new CallersUnavailableError('the API keys cannot be read at the moment', { cause: error })
    }
  }

  function quotaOf({ name, requestsPerMinute: own = requestsPerMinute }: StoredKey): Quota {
    const known = quotas.get(name)
    if (known?.requestsPerMinute === own) return known
    const quota = createQuota(own)
    quotas.set(name, quota)
    return quota
  }

  function toEntry(key: StoredKey): Entry {
    return {
      ...key,
      quota: quotaOf(key),
      get ended() {
        const end = ends.get(key.hash) ?? new AbortController()
        ends.set(key.hash, end)
        return end.signal
      }
    }
  }

  function endAll(isOver: (hash: string) => boolean): void {
    for (const [hash, end] of ends) {
      if (!isOver(hash)) continue
      ends.delete(hash)
      end.abort()
    }
  }

  /** One at a time, for all who wait. */
  function read(): Promise<void> {
    reading ??= readOnce().finally(() => {
      reading = undefined
    })
    return reading
  }

  async function keepReading(): Promise<void> {
    await read().catch(() => {})
    if (nowMs() - readAtMs > trustMs) endAll(() => true)
    if (!isStopped) timer = setTimeout(keepReading, refreshMs).unref()
  }

  function assertKnown(): void {
    const ageMs = nowMs() - readAtMs
    if (ageMs <= trustMs) return
    throw new CallersUnavailableError(
      ageMs === Number.POSITIVE_INFINITY ? 'the API keys have not been read yet' : 'the API keys are too old'
    )
  }

  function lookUp(hash: string): KnownCaller | undefined {
    const entry = byHash.get(hash)
    return entry !== undefined && nowMs() < (entry.expiresAtMs ?? Number.POSITIVE_INFINITY) ? entry : undefined
  }

  async function lookForNew(hash: string): Promise<KnownCaller | undefined> {
    const isUnderWay = reading !== undefined
    await read()
    const found = lookUp(hash)
    if (found !== undefined || !isUnderWay) return found
    // What was asked before the key was made has not seen it.
    await read()
    return lookUp(hash)
  }

  void keepReading()
  return {
    find(key) {
      const usedHash = hashes.get(key)
      if (usedHash === undefined && !isApiKey(key)) return undefined
      const hash = usedHash ?? hashOf(key)
      const known = lookUp(hash)
      if (known === undefined) return lookForNew(hash)
      assertKnown()
      if (usedHash === undefined) hashes.set(key, hash)
      return known
    },
    isReady: () => nowMs() - readAtMs <= trustMs,
    ageMs: () => nowMs() - readAtMs,
    loaded: first.promise,
    stop() {
      isStopped = true
      clearTimeout(timer)
    }
  }
}

/** Since the epoch, but never set back. */
function monotonicMs(): number {
  return performance.timeOrigin + performance.now()
}
