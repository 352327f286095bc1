import {
  type BatchClaim,
  type KeyClaim,
  type KeyName,
  type KeyState,
  type KeyStore,
  type KnownKey,
  type ReservedBatch,
  reservationTrustMs
} from '../key-state.ts'

interface StoredBatch extends ReservedBatch {
  readonly attempt: number
  readonly leaseUntilMs: number
  readonly reservedAtMs: number
}

/** Creates a key store in memory, for tests. It holds no orders of version 0.1.0. */
export function createMemoryKeyStore(nowMs: () => number = Date.now): KeyStore {
  const known = new Map<string, KeyClaim & { readonly batchID: string; readonly claimedAtMs: number }>()
  const batches = new Map<string, StoredBatch>()
  const changes = new Map<
    string,
    { readonly request: string; readonly claimedAtMs: number; readonly claim: KeyClaim }
  >()
  const nameOf = ({ caller, key }: KeyName) => JSON.stringify([caller, key])

  function store({ id, partition, bytes }: ReservedBatch, leaseMs: number): void {
    const [attempt, reservedAtMs] = [1, nowMs()]
    batches.set(id, { id, partition, bytes, attempt, leaseUntilMs: nowMs() + leaseMs, reservedAtMs })
  }

  function find(name: KeyName): KnownKey[] {
    const change = changes.get(nameOf(name))
    if (change !== undefined) return [{ ...change.claim, state: { kind: 'stored' } }]
    const entry = known.get(nameOf(name))
    if (entry === undefined) return []
    const { batchID, claimedAtMs: _, ...claim } = entry
    const batch = batches.get(batchID)
    const state: KeyState =
      batch === undefined
        ? { kind: 'stored' }
        : { kind: 'in-batch', batchID, leaseLeftMs: batch.leaseUntilMs - nowMs() }
    return [{ ...claim, state }]
  }

  return {
    async claim(given: readonly BatchClaim[], leaseMs) {
      const existing = given.flatMap(({ claims }) => claims).flatMap(find)
      if (existing.length > 0) return existing
      for (const { claims, ...batch } of given) {
        store(batch, leaseMs)
        for (const claim of claims) known.set(nameOf(claim), { ...claim, batchID: batch.id, claimedAtMs: nowMs() })
      }
      return undefined
    },
    async markStored(batchID) {
      batches.delete(batchID)
    },
    async takeBatch(batchID, name, leaseMs) {
      const batch = batches.get(batchID)
      if (batch === undefined || batch.leaseUntilMs > nowMs()) return undefined
      const entry = known.get(nameOf(name))
      if (entry?.batchID === batchID) known.set(nameOf(name), { ...entry, claimedAtMs: nowMs() })
      const attempt = batch.attempt + 1
      batches.set(batchID, { ...batch, attempt, leaseUntilMs: nowMs() + leaseMs })
      const { id, partition, bytes, reservedAtMs } = batch
      return { id, partition, bytes, attempt, mayBeForgotten: reservedAtMs < nowMs() - reservationTrustMs }
    },
    async releaseBatch(batchID, attempt) {
      const batch = batches.get(batchID)
      if (batch?.attempt === attempt) batches.set(batchID, { ...batch, leaseUntilMs: nowMs() })
    },
    async forgetBatch({ id, claims }) {
      if (batches.get(id)?.attempt !== 1) return false
      batches.delete(id)
      for (const claim of claims) if (known.get(nameOf(claim))?.batchID === id) known.delete(nameOf(claim))
      return true
    },
    async move(key, batch, leaseMs) {
      const entry = known.get(nameOf(key))
      if (entry === undefined || key.state.kind !== 'in-batch' || entry.batchID !== key.state.batchID) return false
      known.set(nameOf(key), { ...entry, batchID: batch.id, claimedAtMs: nowMs() })
      store(batch, leaseMs)
      return true
    },
    async claimChange(claim) {
      const name = nameOf(claim)
      if (known.has(name)) return 'other-request'
      const request = JSON.stringify([claim.change, claim.orderID])
      const former = changes.get(name)
      if (former !== undefined) return former.request === request ? 'repeated' : 'other-request'
      const { caller, key, orderID, requestedAtMs: acceptedAtMs, traceparent } = claim
      const asKey = { caller, key, orderID, acceptedAtMs, traceparent, fingerprint: Buffer.from(request) }
      changes.set(name, { request, claimedAtMs: nowMs(), claim: asKey })
      return 'first'
    },
    async prune(olderThanMs, limit) {
      const untilMs = nowMs() - olderThanMs
      const isOld = ([, entry]: [string, { readonly claimedAtMs: number; readonly batchID?: string }]) =>
        entry.claimedAtMs < untilMs && !((batches.get(entry.batchID ?? '')?.leaseUntilMs ?? 0) >= untilMs)
      const old = [...known, ...changes].filter(isOld).slice(0, limit)
      for (const [name] of old) {
        known.delete(name)
        changes.delete(name)
      }
      return old.length
    },
    takeSingle: async () => undefined,
    async releaseSingle() {},
    async markSingleStored() {}
  }
}
