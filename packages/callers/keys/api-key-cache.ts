import type { Logger } from '@orderly/service-kit'
import type { Caller } from '../caller.ts'
import { createQuota, type Quota } from '../quota/quota.ts'
import { hashOf, isApiKey } from './api-key.ts'
import type { ApiKeyStore, StoredKey } from './key-store.ts'

/**
 * A cache of all valid API keys, so that requests do not wait for the database. States: **unknown**
 * (never read) → **fresh** (read within the last `refreshMs`) ⇄ **stale** (the database is
 * unavailable; the cached keys are still accepted) → **too old** (not read for `trustMs`).
 *
 * - A revoked key is accepted for up to `refreshMs`, or while the database is unavailable, but
 *   never for more than `trustMs`.
 * - The signal `ended` of a caller is aborted when a reload no longer contains the key, or when the
 *   cache is too old.
 * - An unknown key causes an immediate reload, so that new keys work. All pending lookups share it,
 *   and reloads start at least `leastGapMs` apart, so that invalid keys do not load the database.
 */
export interface APIKeyCache {
  /**
   * Returns the caller of a key, or undefined if the key is invalid.
   * @throws CallersUnavailableError (or rejects with it) when the cache is unknown or too old, or
   * when the key is not cached and the database is unavailable
   */
  find(key: string): CachedCaller | undefined | Promise<CachedCaller | undefined>
  /** Returns true if keys can be checked. */
  isReady(): boolean
  /** Returns the age of the cache; infinite if the keys were never read. */
  ageMs(): number
  /** Resolves when the keys have been read for the first time. */
  readonly loaded: Promise<void>
  stop(): void
}

export interface CachedCaller extends Caller {
  readonly quota: Quota
  readonly ended: AbortSignal
}

export interface APIKeyCacheOptions {
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

type Entry = CachedCaller & Pick<StoredKey, 'expiresAtMs'>

export function createAPIKeyCache(store: ApiKeyStore, options: APIKeyCacheOptions): APIKeyCache {
  const { refreshMs, trustMs, requestsPerMinute, leastGapMs = 250, logger, nowMs = monotonicMs } = options
  const quotas = new Map<string, Quota>()
  /** Abort controllers by key hash, only for keys whose `ended` was used. */
  const ends = new Map<string, AbortController>()
  const first = Promise.withResolvers<void>()
  let byHash: ReadonlyMap<string, Entry> = new Map()
  /**
   * Hashes of the keys used since the last reload. Hashing would be a fifth of the cost of
   * authentication.
   */
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
      if (isFailing) logger.info({ keys: keys.length }, 'API keys reloaded after failures')
      isFailing = false
      first.resolve()
    } catch (error) {
      if (!isFailing) {
        logger.warn({ event: 'api_keys_reload_failed', error }, 'failed to reload API keys; using cached keys')
      }
      isFailing = true
      throw new CallersUnavailableError('API keys unavailable: the database does not answer', { cause: error })
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

  /** Reloads the keys. Concurrent calls share one reload. */
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
      ageMs === Number.POSITIVE_INFINITY ? 'the API keys have not been read yet' : 'the cached API keys are too old'
    )
  }

  function lookUp(hash: string): CachedCaller | undefined {
    const entry = byHash.get(hash)
    return entry !== undefined && nowMs() < (entry.expiresAtMs ?? Number.POSITIVE_INFINITY) ? entry : undefined
  }

  async function lookForNew(hash: string): Promise<CachedCaller | undefined> {
    const isUnderWay = reading !== undefined
    await read()
    const found = lookUp(hash)
    if (found !== undefined || !isUnderWay) return found
    // The shared reload may have started before the key was created.
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

/** Returns milliseconds since the epoch from a monotonic clock. */
function monotonicMs(): number {
  return performance.timeOrigin + performance.now()
}
