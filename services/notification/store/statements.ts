import type { Statement } from '@orderly/postgres'
import type {
  AcceptedNotification,
  AttemptedDelivery,
  ClaimOptions,
  FreedLane,
  TargetAddress,
  TargetBacklog
} from './delivery-store.ts'
import { type DeliveryRow, deliveryColumns, type TargetRow, type TargetStateRow } from './rows.ts'

/**
 * Time of a statement in milliseconds since the epoch; null uses the clock of the database, so that
 * the clocks of instances need not agree. Only tests pass a number.
 *
 * The statements in this file process many rows each, passed as arrays.
 */
export type Now = number | null

/**
 * Age of `seen_at`, relative to the newest one, from which a target counts as removed. Instances
 * update `seen_at` every minute.
 */
export const unseenMs = 5 * 60_000

/** Value of the column `caller` for an order without a caller. */
export const noCaller = ''

const now = (parameter: number) => `coalesce(to_timestamp($${parameter}::float8 / 1000), statement_timestamp())`
const milliseconds = (expression: string) => `(${expression}) * interval '1 millisecond'`

/**
 * Ends a subquery about one delivery lane. The planner expects few pending deliveries, because
 * there usually are few, and would read all of them in a join. With a backlog of tens of thousands,
 * a claim then took one second. The planner does not flatten a subquery with OFFSET, so each lane
 * is looked up by its key.
 */
const laneByLane = 'OFFSET 0'

const isOfLane =
  'lanes.target = deliveries.target AND lanes.caller = deliveries.caller AND lanes.user_id = deliveries.user_id'

/** Separates target names in a list; no target name contains it. */
const targetSeparator = ','

/**
 * Adds deliveries. Every statement locks delivery lanes in the same order, so that no two
 * transactions wait for each other.
 * @param accepted the notifications with their targets
 */
export function accept(
  accepted: readonly (AcceptedNotification & { readonly targets: readonly string[] })[],
  nowMs: Now
): Statement<TargetRow & { readonly inserted: number }> {
  return {
    name: 'accept',
    text: `WITH inserted AS (
        INSERT INTO notification.deliveries (event_id, target, caller, user_id, content, traceparent, accepted_at)
        SELECT event_id, target, caller, user_id, content, traceparent, ${now(7)}
        FROM unnest($1::text[], $2::text[], $3::text[], $4::jsonb[], $5::text[], $6::text[]) WITH ORDINALITY
            AS given (event_id, caller, user_id, content, traceparent, targets, place),
          unnest(string_to_array(targets, '${targetSeparator}')) AS target
        ORDER BY place
        ON CONFLICT DO NOTHING
        RETURNING target, caller, user_id
      ), lanes AS (
        INSERT INTO notification.lanes (target, caller, user_id, due_at)
        SELECT target, caller, user_id, ${now(7)} FROM inserted
        GROUP BY target, caller, user_id ORDER BY target, caller, user_id
        ON CONFLICT (target, caller, user_id) DO UPDATE SET due_at = lanes.due_at
      )
      SELECT target, count(*) AS inserted FROM inserted GROUP BY target`,
    values: [
      accepted.map(({ notification }) => notification.id),
      accepted.map(({ notification }) => notification.caller ?? noCaller),
      accepted.map(({ notification }) => notification.userID),
      accepted.map(({ notification }) => JSON.stringify(notification)),
      accepted.map(({ traceparent }) => traceparent),
      accepted.map(({ targets }) => targets.join(targetSeparator)),
      nowMs
    ]
  }
}

export function register(targets: readonly TargetAddress[], nowMs: Now): Statement {
  const kept = (column: string) => `CASE WHEN targets.fingerprint = excluded.fingerprint THEN targets.${column} END`
  return {
    name: 'register',
    text: `INSERT INTO notification.targets (target, fingerprint, seen_at)
      SELECT target, fingerprint, ${now(3)} FROM unnest($1::text[], $2::text[]) AS given (target, fingerprint) ORDER BY target
      ON CONFLICT (target) DO UPDATE SET fingerprint = excluded.fingerprint, seen_at = excluded.seen_at,
        disabled_at = ${kept('disabled_at')}, reason = ${kept('reason')}, paused_until = ${kept('paused_until')}`,
    values: [targets.map(({ target }) => target), targets.map(({ fingerprint }) => fingerprint), nowMs]
  }
}

export function see(targets: readonly string[], nowMs: Now): Statement {
  return {
    name: 'see',
    text: `UPDATE notification.targets SET seen_at = ${now(2)} WHERE target = ANY (ARRAY(
        SELECT target FROM notification.targets WHERE target = ANY ($1::text[]) ORDER BY target FOR UPDATE
      ))`,
    values: [targets, nowMs]
  }
}

/** Compares the target by the expression of the index `lanes_due`. */
export function claimLanes(target: string, claim: string, options: ClaimOptions, nowMs: Now): Statement {
  return {
    name: 'claim-lanes',
    text: `UPDATE notification.lanes
      SET due_at = ${now(7)} + ${milliseconds('$5::float8')}, claim = $2, instance = $3
      WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM notification.lanes
        WHERE target || '' = $1 AND due_at <= ${now(7)} - ${milliseconds('$6::float8')}
          AND NOT EXISTS (SELECT FROM notification.targets WHERE target = $1 AND paused_until > ${now(7)})
        ORDER BY due_at LIMIT $4 FOR UPDATE SKIP LOCKED
      ))
      RETURNING user_id`,
    values: [target, claim, options.instanceID, options.maxLanes, options.leaseMs, options.overdueMs ?? 0, nowMs]
  }
}

/**
 * Claims the first deliveries of the claimed lanes. It is a separate statement: it starts after the
 * lanes are locked, and so sees everything committed before.
 */
export function claimDeliveries(claim: string, maxPerLane: number, nowMs: Now): Statement<DeliveryRow> {
  return {
    name: 'claim-deliveries',
    text: `UPDATE notification.deliveries
      SET status = 'sending', attempts = attempts + (status = 'sending')::integer
      WHERE ctid = ANY (ARRAY(
        SELECT first.ctid FROM notification.lanes, LATERAL (
          SELECT ctid FROM notification.deliveries
          WHERE target = lanes.target AND caller = lanes.caller AND user_id = lanes.user_id AND finished_at IS NULL
          ORDER BY sequence LIMIT $2
        ) AS first
        WHERE lanes.claim = $1
      ))
      RETURNING ${deliveryColumns(now(3))}`,
    values: [claim, maxPerLane, nowMs]
  }
}

export function dropEmptyLanes(claim: string): Statement {
  return {
    name: 'drop-empty-lanes',
    text: `DELETE FROM notification.lanes WHERE claim = $1 AND NOT EXISTS (
        SELECT FROM notification.deliveries
        WHERE ${isOfLane} AND finished_at IS NULL ${laneByLane}
      )`,
    values: [claim]
  }
}

export function targetState(target: string, nowMs: Now): Statement<TargetStateRow> {
  return {
    name: 'target-state',
    text: `SELECT disabled_at IS NOT NULL OR EXISTS (
          SELECT FROM notification.endpoints WHERE endpoints.target = $1 AND disabled_at IS NOT NULL
        ) AS "isDisabled",
        greatest(0, extract(epoch FROM paused_until - ${now(2)})::float8 * 1000) AS "pausedMs"
      FROM notification.targets WHERE target = $1`,
    values: [target, nowMs]
  }
}

/**
 * Locks each delivery lane by its key, one after the other. A join could read all lanes in key
 * order to avoid a sort.
 */
export function lockLanes(lanes: readonly Pick<FreedLane, 'target' | 'caller' | 'userID'>[]): Statement {
  return {
    name: 'lock-lanes',
    text: `SELECT FROM (
        SELECT DISTINCT target COLLATE "C" AS target, caller COLLATE "C" AS caller, user_id COLLATE "C" AS user_id
        FROM unnest($1::text[], $2::text[], $3::text[]) AS given (target, caller, user_id) ORDER BY target, caller, user_id
      ) AS given, LATERAL (
        SELECT FROM notification.lanes
        WHERE lanes.target = given.target AND lanes.caller = given.caller AND lanes.user_id = given.user_id FOR UPDATE
      ) AS locked`,
    values: laneColumns(lanes)
  }
}

function laneColumns(lanes: readonly Pick<FreedLane, 'target' | 'caller' | 'userID'>[]): string[][] {
  return [
    lanes.map(({ target }) => target),
    lanes.map(({ caller }) => caller ?? noCaller),
    lanes.map(({ userID }) => userID)
  ]
}

/**
 * Stores the results of attempts. A sent notification stays sent, even if its claim is stale; any
 * other result requires the current claim. The filter on `status` makes Postgres look up a delivery
 * by its key instead of scanning the unfinished ones.
 */
export function saveResults(attempted: readonly AttemptedDelivery[], nowMs: Now): Statement {
  return {
    name: 'save-results',
    text: `UPDATE notification.deliveries
      SET status = result.status, attempts = result.attempts, code = result.code, reason = result.reason,
        finished_at = CASE WHEN result.status = 'due' THEN NULL ELSE ${now(8)} END
      FROM unnest($1::text[], $2::text[], $3::uuid[], $4::text[], $5::integer[], $6::text[], $7::text[])
        AS result (event_id, target, claim, status, attempts, code, reason)
      WHERE deliveries.event_id = result.event_id AND deliveries.target = result.target AND deliveries.status IN ('due', 'sending')
        AND (result.status = 'sent' OR EXISTS (
          SELECT FROM notification.lanes
          WHERE ${isOfLane} AND lanes.claim = result.claim ${laneByLane}
        ))`,
    values: [
      attempted.map(({ delivery }) => delivery.notification.id),
      attempted.map(({ delivery }) => delivery.target),
      attempted.map(({ delivery }) => delivery.claim),
      attempted.map(({ result }) => result.status),
      attempted.map(({ result }) => result.attempts),
      attempted.map(({ result }) => ('failure' in result ? result.failure?.code : undefined)),
      attempted.map(({ result }) => ('failure' in result ? result.failure?.reason : undefined)),
      nowMs
    ]
  }
}

/**
 * Releases delivery lanes while they are locked. A concurrent transaction adds its delivery before
 * the lock, or creates the lane again. The `ctid` of a locked lane does not change.
 */
export function freeLanes(lanes: readonly FreedLane[], nowMs: Now): Statement<TargetRow> {
  return {
    name: 'free-lanes',
    text: `WITH freed AS MATERIALIZED (
        SELECT place, retry_ms, given.claim = lane.claim AS is_own, EXISTS (
          SELECT FROM notification.deliveries
          WHERE deliveries.target = given.target AND deliveries.caller = given.caller AND deliveries.user_id = given.user_id
            AND finished_at IS NULL ${laneByLane}
        ) AS has_more
        FROM unnest($1::text[], $2::text[], $3::text[], $4::uuid[], $5::float8[])
            AS given (target, caller, user_id, claim, retry_ms), LATERAL (
          SELECT ctid AS place, lanes.claim FROM notification.lanes
          WHERE lanes.target = given.target AND lanes.caller = given.caller AND lanes.user_id = given.user_id ${laneByLane}
        ) AS lane
      ), deleted AS (
        DELETE FROM notification.lanes WHERE ctid = ANY (ARRAY(SELECT place FROM freed WHERE NOT has_more))
      )
      UPDATE notification.lanes
      SET due_at = ${now(6)} + (SELECT max(${milliseconds('retry_ms')}) FROM freed WHERE place = lanes.ctid AND is_own),
        claim = NULL, instance = NULL
      WHERE ctid = ANY (ARRAY(SELECT place FROM freed WHERE has_more AND is_own))
      RETURNING target`,
    values: [...laneColumns(lanes), lanes.map(({ claim }) => claim), lanes.map(({ retryInMs }) => retryInMs), nowMs]
  }
}

export function disable({ target, fingerprint }: TargetAddress, reason: string): Statement {
  return {
    name: 'disable',
    text: `UPDATE notification.targets SET disabled_at = statement_timestamp(), reason = $3
      WHERE target = $1 AND fingerprint = $2 AND disabled_at IS NULL`,
    values: [target, fingerprint, reason]
  }
}

export function pause({ target, fingerprint }: TargetAddress, pauseMs: number, nowMs: Now): Statement {
  return {
    name: 'pause',
    text: `UPDATE notification.targets SET paused_until = greatest(paused_until, ${now(4)} + ${milliseconds('$3::float8')})
      WHERE target = $1 AND fingerprint = $2`,
    values: [target, fingerprint, pauseMs, nowMs]
  }
}

/**
 * Skips from one target to the next in the index, so that its cost depends on the number of
 * targets, not of delivery lanes.
 */
export function dueTargets(nowMs: Now): Statement<TargetRow> {
  const firstLane = (condition: string) => `SELECT target || '' AS target, due_at FROM notification.lanes ${condition}
        ORDER BY target || '', due_at LIMIT 1`
  return {
    name: 'due-targets',
    text: `WITH RECURSIVE first AS (
        (${firstLane('')})
        UNION ALL
        SELECT next.* FROM first, LATERAL (${firstLane("WHERE target || '' > first.target")}) AS next
      )
      SELECT target FROM first WHERE due_at <= ${now(1)}`,
    values: [nowMs]
  }
}

export function releaseClaims(instanceID: string, nowMs: Now): Statement {
  return {
    name: 'release-claims',
    text: `UPDATE notification.lanes SET due_at = ${now(2)}, claim = NULL, instance = NULL WHERE instance = $1`,
    values: [instanceID, nowMs]
  }
}

export function backlog(nowMs: Now): Statement<TargetBacklog> {
  return {
    name: 'backlog',
    text: `SELECT target, count(*) AS deliveries,
        extract(epoch FROM ${now(1)} - min(accepted_at))::float8 * 1000 AS "oldestAgeMs"
      FROM notification.deliveries WHERE finished_at IS NULL GROUP BY target ORDER BY target`,
    values: [nowMs]
  }
}

export const disabled: Statement<TargetRow> = {
  name: 'disabled',
  text: `SELECT target FROM notification.targets WHERE disabled_at IS NOT NULL
    AND seen_at >= (SELECT max(seen_at) FROM notification.targets) - ${milliseconds(String(unseenMs))} ORDER BY target`,
  values: []
}

export function repairLanes(nowMs: Now): Statement {
  return {
    name: 'repair-lanes',
    text: `INSERT INTO notification.lanes (target, caller, user_id, due_at)
      SELECT target, caller, user_id, ${now(1)} FROM notification.deliveries
      WHERE finished_at IS NULL AND NOT EXISTS (SELECT FROM notification.lanes WHERE ${isOfLane} ${laneByLane})
      GROUP BY target, caller, user_id ORDER BY target, caller, user_id
      ON CONFLICT DO NOTHING`,
    values: [nowMs]
  }
}

export function prune(olderThanMs: number, maxRows: number, nowMs: Now): Statement {
  return {
    name: 'prune',
    text: `DELETE FROM notification.deliveries WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM notification.deliveries
        WHERE finished_at IS NOT NULL AND accepted_at < ${now(3)} - ${milliseconds('$1::float8')}
        LIMIT $2 FOR UPDATE SKIP LOCKED
      ))`,
    values: [olderThanMs, maxRows, nowMs]
  }
}
