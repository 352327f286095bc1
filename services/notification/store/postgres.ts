import { randomUUID } from 'node:crypto'
import { type PostgresPositions, readDecideWriteWith } from '@orderly/positions'
import { readDecideWrite, retryConflicts, runStatement, type Statement } from '@orderly/postgres'
import type { Pool, QueryResultRow } from 'pg'
import { targetsFor } from '../domain/recipients.ts'
import type { DeliveryStore } from './delivery-store.ts'
import { type DeliveryRow, toDelivery } from './rows.ts'
import * as statements from './statements.ts'

const prunedAtOnce = 5_000

/**
 * Creates the delivery table in the schema `notification`.
 *
 * The row of a delivery lane is its lock. An instance claims the lane by writing a new claim id and
 * the end of its lease into the row. `SKIP LOCKED` keeps instances from waiting for each other. To
 * store the results of deliveries, the instance presents the same claim id.
 *
 * The statement that checks for remaining deliveries runs after the statement that locked the lane.
 * It therefore sees the deliveries that other transactions have committed. Transactions that want
 * to add deliveries to the lane wait for the lock. Locks are acquired in a fixed order, so
 * conflicts are not expected; retries after a conflict are a safety net.
 */
export function createPostgresDeliveryStore(
  pool: Pool,
  { nowMs = () => null, positions }: { nowMs?: () => number | null; positions?: PostgresPositions } = {}
): DeliveryStore {
  const run = <Row extends QueryResultRow>(statement: Statement<Row>) => runStatement(pool, statement)

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
        readDecideWriteWith(pool, { positions, advances }, [statement], ([rows]) => ({ writes: [], result: rows }))
      )
      const pairs = wanted.reduce((sum, { targets }) => sum + targets.length, 0)
      const inserted = rows.reduce((sum, row) => sum + row.inserted, 0)
      return { duplicates: pairs - inserted, targets: new Set(rows.map(({ target }) => target)) }
    },

    async register(targets) {
      await run(statements.register(targets, nowMs()))
    },

    async claim(target, options) {
      const claim = randomUUID()
      const reads = [
        statements.claimLanes(target, claim, options, nowMs()),
        statements.claimDeliveries(claim, options.maxPerLane, nowMs()),
        statements.dropEmptyLanes(claim),
        statements.targetState(target, nowMs())
      ] as const
      return readDecideWrite(pool, reads, ([lanes, claimed, , [state]]) => ({
        writes: [],
        result: {
          deliveries: claimed.toSorted(bySequence).map(row => toDelivery(row, claim)),
          isDisabled: state?.isDisabled === true,
          isLimited: lanes.length === options.maxLanes,
          pausedMs: state?.pausedMs ?? 0
        }
      }))
    },

    async saveResults(deliveries, lanes) {
      const touched = deliveries.map(({ delivery: { target, notification } }) => {
        return { target, caller: notification.caller, userID: notification.userID }
      })
      if (touched.length + lanes.length === 0) return new Set()
      const lock = statements.lockLanes([...touched, ...lanes])
      const work = [lock, statements.saveResults(deliveries, nowMs()), statements.freeLanes(lanes, nowMs())] as const
      return retryConflicts(() =>
        readDecideWrite(pool, work, ([, , dueAgain]) => ({
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
      return (await run(statements.backlog(nowMs()))).rows
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

function bySequence(left: DeliveryRow, right: DeliveryRow): number {
  return left.sequence - right.sequence
}
