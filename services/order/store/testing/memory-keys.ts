import { type KeyClaim, type KeyedOrder, type KeyName, type KeyStore, reservationTrustMs } from '../idempotency-keys.ts'

interface Entry {
  readonly fingerprint: string
  readonly state: 'in-flight' | 'stored'
  readonly attempt: number
  readonly leaseUntilMs: number
  readonly reservedAtMs: number
  readonly needsLookup: boolean
  readonly order: KeyedOrder
}

/** Creates a key store in memory, for tests. */
export function createMemoryKeyStore(nowMs: () => number = Date.now): KeyStore {
  const known = new Map<string, Entry>()
  const changes = new Map<string, { readonly request: string; readonly leaseUntilMs: number }>()
  const nameOf = ({ caller, key }: KeyName) => JSON.stringify([caller, key])

  function firstAttempt(claim: KeyClaim, leaseUntilMs: number): Entry {
    const { fingerprint, orderID, acceptedAtMs, traceparent, reservation } = claim
    const order = { orderID, acceptedAtMs, traceparent, reservation }
    const fresh = { state: 'in-flight', attempt: 1, reservedAtMs: nowMs(), needsLookup: false } as const
    return { ...fresh, fingerprint, leaseUntilMs, order }
  }

  function nextAttempt(entry: Entry, { reservation }: KeyClaim, leaseUntilMs: number): Entry {
    const next = { ...entry, attempt: entry.attempt + 1, leaseUntilMs }
    if (entry.reservedAtMs >= nowMs() - reservationTrustMs) return next
    return { ...next, order: { ...entry.order, reservation }, reservedAtMs: nowMs(), needsLookup: true }
  }

  return {
    async claim(claim, leaseMs) {
      const name = nameOf(claim)
      const entry = known.get(name)
      if (changes.has(name)) return { kind: 'key-conflict' }
      if (entry !== undefined) {
        const { orderID, traceparent } = entry.order
        if (entry.fingerprint !== claim.fingerprint) return { kind: 'key-conflict' }
        if (entry.state === 'stored') return { kind: 'placed', orderID, traceparent, isReplay: true }
        if (entry.leaseUntilMs > nowMs()) return { kind: 'in-flight', retryAfterMs: entry.leaseUntilMs - nowMs() }
      }
      const leaseUntilMs = nowMs() + leaseMs
      const claimed = entry === undefined ? firstAttempt(claim, leaseUntilMs) : nextAttempt(entry, claim, leaseUntilMs)
      known.set(name, claimed)
      const { attempt, order, needsLookup } = claimed
      return { kind: 'claimed', attempt, order, needsLookup }
    },
    async claimChange(claim) {
      const name = nameOf(claim)
      if (known.has(name)) return 'other-request'
      const request = JSON.stringify([claim.change, claim.orderID])
      const former = changes.get(name)
      if (former !== undefined) return former.request === request ? 'repeated' : 'other-request'
      changes.set(name, { request, leaseUntilMs: nowMs() })
      return 'first'
    },
    async markStored(given) {
      const entry = known.get(nameOf(given))
      if (entry !== undefined) known.set(nameOf(given), { ...entry, state: 'stored' })
    },
    async release(given, attempt) {
      const entry = known.get(nameOf(given))
      if (entry?.state === 'in-flight' && entry.attempt === attempt)
        known.set(nameOf(given), { ...entry, leaseUntilMs: nowMs() })
    },
    async forget(given) {
      const entry = known.get(nameOf(given))
      if (entry?.state === 'in-flight' && entry.attempt === 1) known.delete(nameOf(given))
    },
    async prune(olderThanMs, limit) {
      const isOld = ([, { leaseUntilMs }]: [string, { readonly leaseUntilMs: number }]) =>
        leaseUntilMs <= nowMs() - olderThanMs
      const old = [...known, ...changes].filter(isOld).slice(0, limit)
      for (const [name] of old) {
        known.delete(name)
        changes.delete(name)
      }
      return old.length
    }
  }
}
