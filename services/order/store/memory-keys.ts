import { type IdempotencyKeyState, judgeClaim } from '../domain/idempotency-key-state.ts'
import type { KeptOrder, KeyName, KeyStore } from './key-store.ts'

/** Creates a key store in memory, for tests. */
export function createMemoryKeyStore(nowMs: () => number = Date.now): KeyStore {
  const known = new Map<string, IdempotencyKeyState & { readonly order: KeptOrder }>()
  const changes = new Map<string, { readonly request: string; readonly leaseUntilMs: number }>()
  const nameOf = ({ caller, key }: KeyName) => JSON.stringify([caller, key])
  return {
    async claim(claim, leaseMs) {
      const name = nameOf(claim)
      if (changes.has(name)) return { kind: 'key-conflict' }
      const entry = known.get(name)
      const verdict = judgeClaim(entry, claim.fingerprint, nowMs())
      const { fingerprint, orderID, acceptedAtMs, traceparent, slot } = claim
      const leaseUntilMs = nowMs() + leaseMs
      if (verdict.kind === 'begin' || entry === undefined) {
        const order = { orderID, acceptedAtMs, traceparent, slot }
        const fresh = { fingerprint, state: 'in-flight', attempt: 1, leaseUntilMs, needsLookup: false } as const
        known.set(name, { ...fresh, order, reservedAtMs: nowMs() })
        return { kind: 'yours', attempt: 1, order, needsLookup: false }
      }
      if (verdict.kind === 'stored') return { kind: 'stored', order: entry.order }
      if (verdict.kind !== 'take-over') return verdict
      const taken = {
        ...entry,
        attempt: entry.attempt + 1,
        leaseUntilMs,
        ...(verdict.renewReservation && { order: { ...entry.order, slot }, reservedAtMs: nowMs(), needsLookup: true })
      }
      known.set(name, taken)
      return { kind: 'yours', attempt: taken.attempt, order: taken.order, needsLookup: taken.needsLookup }
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
    async settle(given) {
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
