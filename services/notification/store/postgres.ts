import { randomUUID } from 'node:crypto'
import { type PostgresPositions, readDecideWriteWith } from '@orderly/positions'
import { isPostgresConflict, readDecideWrite, retryTransient, runStatement, type Statement } from '@orderly/postgres'
import type { Pool, QueryResultRow } from 'pg'
import { targetsFor } from '../domain/recipients.ts'
import type { ClaimedDelivery, DeliveryStore } from './delivery-store.ts'
import * as statements from './statements.ts'

const prunedAtOnce = 5_000

/**
 * Creates the delivery table in the schema `notification`.
 *
 * The row of a delivery lane is its lock. An instance claims the lane by writing a new claim id and
 * the end of its lease into the row. `SKIP LOCKED` keeps instances from waiting for each other. To
 * settle deliveries, the instance presents the same claim id.
 *
 * A statement that checks for remaining deliveries runs after the statement that locked the lane.
 * It therefore sees what other transactions committed, and they wait for its result.
 */
export function createPostgresDeliveryStore(
  pool: Pool,
  { nowMs = () => null, positions }: { nowMs?: () => number | null; positions?: PostgresPositions } = {}
): DeliveryStore {
  const run = <Row extends QueryResultRow>(statement: Statement) => runStatement<Row>(pool, statement)

  return {
    async accept(notifications, recipients, advances = []) {
      const targetsOf = targetsFor(recipients)
      const wanted = notifications
        .map(accepted => ({ ...accepted, targets: targetsOf(accepted.notification) }))
        .filter(({ targets }) => targets.length > 0)
      if (wanted.length === 0) {
        await positions?.advance(advances)
        return { duplicates: 0, targets: new Set() }
      }
      const statement = statements.accept(wanted, nowMs())
      const rows = await retryConflicts(() =>
        readDecideWriteWith(pool, { positions, advances }, [statement], ([rows = []]) => ({ writes: [], result: rows }))
      )
      const pairs = wanted.reduce((sum, { targets }) => sum + targets.length, 0)
      const inserted = rows.reduce((sum, row) => sum + Number(row.inserted), 0)
      return { duplicates: pairs - inserted, targets: new Set(rows.map(({ target }) => target)) }
    },

    async register(targets) {
      await run(statements.register(targets, nowMs()))
    },

    async claim(target, options) {
      const claim = randomUUID()
      const reads = [
        statements.claimLanes(target, claim, options, nowMs()),
        statements.takeInHand(claim, options.maxPerLane, nowMs()),
        statements.dropEmptyLanes(claim),
        statements.targetState(target, nowMs())
      ]
      return readDecideWrite(pool, reads, ([lanes = [], taken = [], , states = []]) => ({
        writes: [],
        result: {
          deliveries: taken.toSorted(bySequence).map(row => toDelivery(row, claim)),
          isDisabled: states[0]?.is_off === true,
          isLimited: lanes.length === options.maxLanes,
          pausedMs: states[0]?.paused_ms ?? 0
        }
      }))
    },

    async settle(deliveries, lanes) {
      const touched = deliveries.map(({ delivery: { target, notification } }) => {
        return { target, caller: notification.caller, userID: notification.userID }
      })
      if (touched.length + lanes.length === 0) return new Set()
      const lock = statements.lockLanes([...touched, ...lanes])
      const work = [lock, statements.settleDeliveries(deliveries, nowMs()), statements.freeLanes(lanes, nowMs())]
      return retryConflicts(() =>
        readDecideWrite(pool, work, ([, , dueAgain = []]) => ({
          writes: [],
          result: new Set(dueAgain.map(({ target }) => target))
        }))
      )
    },

    async disable(address, reason) {
      await run(statements.disable(address, reason))
    },

    async see(targets) {
      await run(statements.see(targets, nowMs()))
    },

    async pause(address, pauseMs) {
      await run(statements.pause(address, pauseMs, nowMs()))
    },

    async dueTargets() {
      return (await run(statements.dueTargets(nowMs()))).rows.map(({ target }) => target)
    },

    async releaseClaims(instanceID) {
      return (await run(statements.releaseClaims(instanceID, nowMs()))).rowCount ?? 0
    },

    async backlog() {
      const { rows } = await run(statements.backlog(nowMs()))
      return rows.map(({ target, deliveries, oldest_age_ms }) => ({ target, deliveries, oldestAgeMs: oldest_age_ms }))
    },

    async disabled() {
      return (await run(statements.disabled)).rows.map(({ target }) => target)
    },

    async repairLanes() {
      return (await run(statements.repairLanes(nowMs()))).rowCount ?? 0
    },

    async prune(olderThanMs) {
      for (let pruned = 0; ; ) {
        const { rowCount } = await run(statements.prune(olderThanMs, prunedAtOnce, nowMs()))
        pruned += rowCount ?? 0
        if ((rowCount ?? 0) < prunedAtOnce) return pruned
      }
    }
  }
}

/**
 * Retries conflicts as a safety net. Locks are acquired in a fixed order, so conflicts are not
 * expected.
 */
function retryConflicts<Result>(work: () => Promise<Result>): Promise<Result> {
  return retryTransient(work, { isTransient: isPostgresConflict, attempts: 10, firstDelayMs: 2, maxDelayMs: 200 })
}

function bySequence(left: QueryResultRow, right: QueryResultRow): number {
  return left.sequence - right.sequence
}

function toDelivery(row: QueryResultRow, claim: string): ClaimedDelivery {
  return {
    target: row.target,
    notification: row.content,
    traceparent: row.traceparent,
    attempts: row.attempts,
    ageMs: Math.max(0, row.age_ms),
    ...(row.code !== null && { lastFailure: { code: row.code, reason: row.reason ?? '' } }),
    claim
  }
}
