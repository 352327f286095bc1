import { randomUUID } from 'node:crypto'
import { recordKey } from '@orderly/contracts'
import type { Failure } from '../../domain/delivery.ts'
import { targetsFor } from '../../domain/recipients.ts'
import type { AcceptedNotification, ClaimedDelivery, DeliveryStore, TargetAddress } from '../delivery-store.ts'
import { unseenMs } from '../statements.ts'

interface Row extends AcceptedNotification {
  readonly target: string
  readonly acceptedAtMs: number
  status: 'due' | 'sending' | 'sent' | 'exhausted' | 'skipped'
  attempts: number
  failure: Failure | undefined
}

interface Lane {
  readonly target: string
  readonly owner: string
  dueAtMs: number
  claim?: string
  instanceID?: string
}

/** Creates a delivery table in memory, for tests. */
export function createMemoryDeliveryStore(nowMs: () => number = Date.now): DeliveryStore {
  const rows = new Map<string, Row>()
  const lanes = new Map<string, Lane>()
  const addresses = new Map<string, TargetAddress & { isOff: boolean; pausedUntilMs: number; seenAtMs: number }>()

  const key = (...parts: readonly string[]) => JSON.stringify(parts)
  const isUnfinished = ({ status }: Row) => status === 'due' || status === 'sending'
  const unfinishedOf = (target: string, owner: string) =>
    [...rows.values()].filter(
      row => row.target === target && recordKey(row.notification) === owner && isUnfinished(row)
    )

  function openLane(target: string, owner: string): boolean {
    const id = key(target, owner)
    if (lanes.has(id)) return false
    lanes.set(id, { target, owner, dueAtMs: nowMs() })
    return true
  }

  const pausedMs = (target: string) => Math.max(0, (addresses.get(target)?.pausedUntilMs ?? 0) - nowMs())

  function toDelivery(row: Row, claim: string): ClaimedDelivery {
    const { target, notification, traceparent, attempts, failure } = row
    const ageMs = nowMs() - row.acceptedAtMs
    return { target, notification, traceparent, attempts, ageMs, claim, ...(failure && { lastFailure: failure }) }
  }

  return {
    async accept(notifications, recipients) {
      const targetsOf = targetsFor(recipients)
      const targets = new Set<string>()
      let duplicates = 0
      for (const accepted of notifications) {
        const { id } = accepted.notification
        for (const target of targetsOf(accepted.notification)) {
          if (rows.has(key(id, target))) {
            duplicates++
            continue
          }
          const row = { ...accepted, target, acceptedAtMs: nowMs(), attempts: 0, failure: undefined }
          rows.set(key(id, target), { ...row, status: 'due' })
          openLane(target, recordKey(accepted.notification))
          targets.add(target)
        }
      }
      return { duplicates, targets }
    },

    async register(targets) {
      for (const address of targets) {
        const known = addresses.get(address.target)
        const kept = known?.fingerprint === address.fingerprint ? known : { isOff: false, pausedUntilMs: 0 }
        addresses.set(address.target, { ...kept, ...address, seenAtMs: nowMs() })
      }
    },

    async see(targets) {
      for (const target of targets) {
        const known = addresses.get(target)
        if (known !== undefined) known.seenAtMs = nowMs()
      }
    },

    async claim(target, { instanceID, maxLanes, maxPerLane, leaseMs, overdueMs = 0 }) {
      const claim = randomUUID()
      const due = [...lanes.values()]
        .filter(lane => lane.target === target && lane.dueAtMs <= nowMs() - overdueMs && pausedMs(target) === 0)
        .sort((left, right) => left.dueAtMs - right.dueAtMs)
        .slice(0, maxLanes)
      const taken = due.flatMap(lane => {
        Object.assign(lane, { dueAtMs: nowMs() + leaseMs, claim, instanceID })
        return unfinishedOf(target, lane.owner).slice(0, maxPerLane)
      })
      for (const row of taken) {
        if (row.status === 'sending') row.attempts++
        row.status = 'sending'
      }
      return {
        deliveries: taken.map(row => toDelivery(row, claim)),
        isDisabled: addresses.get(target)?.isOff === true,
        isLimited: due.length === maxLanes,
        pausedMs: pausedMs(target)
      }
    },

    async saveResults(deliveries, freed) {
      for (const { delivery, result } of deliveries) {
        const { target, notification, claim } = delivery
        const row = rows.get(key(notification.id, target))
        const isOurs = lanes.get(key(target, recordKey(notification)))?.claim === claim
        if (row === undefined || !isUnfinished(row) || !(isOurs || result.status === 'sent')) continue
        row.status = result.status
        row.attempts = result.attempts
        row.failure = 'failure' in result ? result.failure : undefined
      }
      const dueAgain = new Set<string>()
      for (const { target, claim, retryInMs, ...user } of freed) {
        const owner = recordKey(user)
        const lane = lanes.get(key(target, owner))
        if (lane === undefined) continue
        if (unfinishedOf(target, owner).length === 0) lanes.delete(key(target, owner))
        else if (lane.claim === claim) {
          lanes.set(key(target, owner), { target, owner, dueAtMs: nowMs() + retryInMs })
          dueAgain.add(target)
        }
      }
      return dueAgain
    },

    async disable({ target, fingerprint }, _reason) {
      const known = addresses.get(target)
      if (known?.fingerprint === fingerprint) known.isOff = true
    },

    async pause({ target, fingerprint }, pauseMs) {
      const known = addresses.get(target)
      if (known?.fingerprint !== fingerprint) return
      known.pausedUntilMs = Math.max(known.pausedUntilMs, nowMs() + pauseMs)
    },

    async dueTargets() {
      return [...new Set([...lanes.values()].filter(({ dueAtMs }) => dueAtMs <= nowMs()).map(({ target }) => target))]
    },

    async releaseClaims(instanceID) {
      const held = [...lanes.values()].filter(lane => lane.instanceID === instanceID)
      for (const { target, owner } of held) {
        lanes.delete(key(target, owner))
        openLane(target, owner)
      }
      return held.length
    },

    async backlog() {
      const waiting = Map.groupBy([...rows.values()].filter(isUnfinished), ({ target }) => target)
      return [...waiting]
        .sort(([left], [right]) => (left < right ? -1 : 1))
        .map(([target, rows]) => ({
          target,
          deliveries: rows.length,
          oldestAgeMs: nowMs() - Math.min(...rows.map(({ acceptedAtMs }) => acceptedAtMs))
        }))
    },

    async disabled() {
      const lastSeenMs = Math.max(...[...addresses.values()].map(({ seenAtMs }) => seenAtMs))
      return [...addresses.values()]
        .filter(({ isOff, seenAtMs }) => isOff && seenAtMs >= lastSeenMs - unseenMs)
        .map(({ target }) => target)
        .sort()
    },

    async repairLanes() {
      return [...rows.values()].filter(row => isUnfinished(row) && openLane(row.target, recordKey(row.notification)))
        .length
    },

    async prune(olderThanMs) {
      const old = [...rows].filter(([, row]) => !isUnfinished(row) && row.acceptedAtMs < nowMs() - olderThanMs)
      for (const [id] of old) rows.delete(id)
      return old.length
    }
  }
}
