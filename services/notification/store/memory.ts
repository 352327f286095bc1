import { randomUUID } from 'node:crypto'
import type { Failure } from '../domain/delivery.ts'
import type { AcceptedNotification, ClaimedDelivery, Ledger, TargetAddress } from './ledger.ts'

interface Row extends AcceptedNotification {
  readonly target: string
  readonly acceptedAtMs: number
  status: 'due' | 'sending' | 'sent' | 'given-up' | 'skipped'
  attempts: number
  failure: Failure | undefined
}

interface Lane {
  readonly target: string
  readonly userID: string
  dueAtMs: number
  claim?: string
  instanceID?: string
}

/** Lasts as long as the process. For tests. */
export function createMemoryLedger(nowMs: () => number = Date.now): Ledger {
  const rows = new Map<string, Row>()
  const lanes = new Map<string, Lane>()
  const addresses = new Map<string, TargetAddress & { isOff: boolean }>()

  const key = (...parts: readonly string[]) => JSON.stringify(parts)
  const isUnsettled = ({ status }: Row) => status === 'due' || status === 'sending'
  const unsettledOf = (target: string, userID: string) =>
    [...rows.values()].filter(row => row.target === target && row.notification.userID === userID && isUnsettled(row))

  function openLane(target: string, userID: string): boolean {
    const id = key(target, userID)
    if (lanes.has(id)) return false
    lanes.set(id, { target, userID, dueAtMs: nowMs() })
    return true
  }

  function toDelivery(row: Row, claim: string): ClaimedDelivery {
    const { target, notification, traceparent, attempts, failure } = row
    const ageMs = nowMs() - row.acceptedAtMs
    return { target, notification, traceparent, attempts, ageMs, claim, ...(failure && { lastFailure: failure }) }
  }

  return {
    async accept(notifications, targets) {
      let duplicates = 0
      for (const accepted of notifications) {
        const { id, userID } = accepted.notification
        for (const target of targets) {
          if (rows.has(key(id, target))) {
            duplicates++
            continue
          }
          const row = { ...accepted, target, acceptedAtMs: nowMs(), attempts: 0, failure: undefined }
          rows.set(key(id, target), { ...row, status: 'due' })
          openLane(target, userID)
        }
      }
      return { duplicates }
    },

    async register(targets) {
      for (const address of targets) {
        if (addresses.get(address.target)?.fingerprint === address.fingerprint) continue
        addresses.set(address.target, { ...address, isOff: false })
      }
    },

    async claim(target, { instanceID, maxLanes, maxPerLane, leaseMs, overdueMs = 0 }) {
      const claim = randomUUID()
      const due = [...lanes.values()]
        .filter(lane => lane.target === target && lane.dueAtMs <= nowMs() - overdueMs)
        .sort((left, right) => left.dueAtMs - right.dueAtMs)
        .slice(0, maxLanes)
      const taken = due.flatMap(lane => {
        Object.assign(lane, { dueAtMs: nowMs() + leaseMs, claim, instanceID })
        return unsettledOf(target, lane.userID).slice(0, maxPerLane)
      })
      for (const row of taken) {
        if (row.status === 'sending') row.attempts++
        row.status = 'sending'
      }
      return {
        deliveries: taken.map(row => toDelivery(row, claim)),
        isSwitchedOff: addresses.get(target)?.isOff === true,
        isLimited: due.length === maxLanes
      }
    },

    async settle(deliveries, freed) {
      for (const { delivery, settlement } of deliveries) {
        const { target, notification, claim } = delivery
        const row = rows.get(key(notification.id, target))
        const isOurs = lanes.get(key(target, notification.userID))?.claim === claim
        if (row === undefined || !isUnsettled(row) || !(isOurs || settlement.status === 'sent')) continue
        row.status = settlement.status
        row.attempts = settlement.attempts
        row.failure = 'failure' in settlement ? settlement.failure : undefined
      }
      const dueAgain = new Set<string>()
      for (const { target, userID, claim, retryInMs } of freed) {
        const lane = lanes.get(key(target, userID))
        if (lane === undefined) continue
        if (unsettledOf(target, userID).length === 0) lanes.delete(key(target, userID))
        else if (lane.claim === claim) {
          lanes.set(key(target, userID), { target, userID, dueAtMs: nowMs() + retryInMs })
          dueAgain.add(target)
        }
      }
      return dueAgain
    },

    async switchOff({ target, fingerprint }, _reason) {
      const known = addresses.get(target)
      if (known?.fingerprint === fingerprint) known.isOff = true
    },

    async releaseClaims(instanceID) {
      const held = [...lanes.values()].filter(lane => lane.instanceID === instanceID)
      for (const { target, userID } of held) {
        lanes.delete(key(target, userID))
        openLane(target, userID)
      }
      return held.length
    },

    async backlog() {
      const waiting = Map.groupBy([...rows.values()].filter(isUnsettled), ({ target }) => target)
      return [...waiting]
        .sort(([left], [right]) => (left < right ? -1 : 1))
        .map(([target, rows]) => ({
          target,
          deliveries: rows.length,
          oldestAgeMs: nowMs() - Math.min(...rows.map(({ acceptedAtMs }) => acceptedAtMs))
        }))
    },

    async switchedOff() {
      return [...addresses.values()]
        .filter(({ isOff }) => isOff)
        .map(({ target }) => target)
        .sort()
    },

    async repairLanes() {
      return [...rows.values()].filter(row => isUnsettled(row) && openLane(row.target, row.notification.userID)).length
    },

    async prune(olderThanMs) {
      const old = [...rows].filter(([, row]) => !isUnsettled(row) && row.acceptedAtMs < nowMs() - olderThanMs)
      for (const [id] of old) rows.delete(id)
      return old.length
    }
  }
}
