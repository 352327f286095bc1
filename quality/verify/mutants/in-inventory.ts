import type { Mutant } from './mutant.ts'

const statements = 'services/inventory/store/statements.ts'
const decideChanges = 'services/inventory/domain/decide-change.ts'

/** Mutants of the inventory. */
export const inventoryMutants: readonly Mutant[] = [
  {
    name: 'forgets-outcomes',
    bug: 'an order that is read again is decided again',
    patches: [
      {
        file: 'services/inventory/store/postgres.ts',
        find: 'const known = toOrderStates(outcomeRows, settlementRows)',
        replace: 'const known = toOrderStates(outcomeRows.filter(row => changed.includes(row.orderID)), settlementRows)'
      },
      {
        file: statements,
        find: `AS outcome (order_id, user_id, kind, items, reason, shortages, caller, sequence\${column})`,
        replace: `AS outcome (order_id, user_id, kind, items, reason, shortages, caller, sequence\${column}) ON CONFLICT DO NOTHING`
      },
      {
        file: statements,
        find: 'SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[])`,',
        replace: 'SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[]) ON CONFLICT DO NOTHING`,'
      },
      {
        file: statements,
        find: 'SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[])`,',
        replace: 'SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[]) ON CONFLICT DO NOTHING`,'
      }
    ],
    faults: { 'kill-at-point': 1 },
    services: ['inventory'],
    points: ['batch-processed', 'before-commit'],
    breaks: [4, 5]
  },
  {
    name: 'parks-when-away',
    bug: 'records become dead letters because the database is unavailable',
    patches: [
      {
        file: 'packages/kafka/stage/retry-processing.ts',
        find: `      isTransient: error =>
        !(error instanceof PositionConflictError) && (error instanceof UncheckedError || isTransient(error)),`,
        replace: `      isTransient: error => (error as { retryable?: unknown }).retryable === true && isTransient(error),`
      }
    ],
    faults: { 'kill-postgres': 1 },
    services: ['notification'],
    breaks: [11, 14]
  },
  {
    name: 'split-transaction',
    bug: 'outcomes and stock are written in two database transactions',
    patches: [
      {
        file: 'packages/postgres/transaction.ts',
        find: "const written = await Promise.all([...sendAll(client, writes), client.query('COMMIT')])",
        replace: `const [first, ...others] = writes
    await Promise.all([...sendAll(client, first === undefined ? [] : [first]), client.query('COMMIT')])
    await client.query(begin)
    const written = await Promise.all([...sendAll(client, others), client.query('COMMIT')])`
      }
    ],
    faults: { kill: 4, cut: 1, 'kill-postgres': 1 },
    services: ['inventory'],
    requestsPerSecond: 150,
    durationMs: 40_000,
    breaks: [4, 5]
  },
  {
    name: 'no-row-lock',
    bug: 'stock is read without locking its rows',
    patches: [{ file: statements, find: ' ORDER BY sku FOR UPDATE', replace: ' ORDER BY sku' }],
    faults: { freeze: 1 },
    services: ['inventory'],
    requestsPerSecond: 200,
    breaks: [4, 6, 14]
  },
  {
    name: 'off-by-one',
    bug: 'the last piece of a SKU is never reserved',
    patches: [
      {
        file: 'services/inventory/domain/decide-order.ts',
        find: 'else if (requested > left)',
        replace: 'else if (requested >= left)'
      }
    ],
    faults: { kill: 1 },
    breaks: [6]
  },
  {
    name: 'half-reserved',
    bug: 'an order is reserved as soon as one of its lines can be',
    patches: [
      {
        file: 'services/inventory/domain/decide-order.ts',
        find: 'if (shortages.length > 0) return fail',
        replace: 'if (shortages.length === demand.size) return fail'
      }
    ],
    faults: { kill: 1 },
    breaks: [4, 6, 14]
  },
  {
    name: 'unkeyed',
    bug: 'outcomes are keyed by order, so those of one user are spread over partitions',
    patches: [
      {
        file: 'services/inventory/consumer/order-stage.ts',
        find: 'return toRecord(topics.inventoryReserved, result.event, traceparent, { caller })',
        replace:
          'return { ...toRecord(topics.inventoryReserved, result.event, traceparent, { caller }), key: result.event.orderID }'
      }
    ],
    faults: { kill: 1 },
    breaks: [7]
  },
  {
    name: 'releases-again',
    bug: 'a repeated cancel publishes the release again',
    patches: [
      {
        file: decideChanges,
        find: 'settlement?.event.requestID === requestID)',
        replace:
          "settlement?.event.requestID === requestID || (change.change === 'cancel' && settlement?.kind === 'released'))"
      },
      {
        file: decideChanges,
        find: 'if (isSame(former, position)) return {',
        replace: 'if (former !== undefined) return {'
      }
    ],
    faults: { kill: 1 },
    services: ['inventory'],
    breaks: [2]
  },
  {
    name: 'release-forgotten',
    bug: 'a release whose event was lost with its transaction is not published when its record is read again',
    patches: [
      {
        file: decideChanges,
        find: 'if (isSame(former, position)) return {',
        replace: 'if (former?.position === position) return {'
      }
    ],
    faults: { 'kill-at-point': 1 },
    services: ['inventory'],
    points: ['batch-processed', 'before-commit'],
    requestsPerSecond: 150,
    breaks: [2]
  },
  {
    name: 'early-cancel-lost',
    bug: 'a cancel that precedes the decision of its order is ignored',
    patches: [
      {
        file: decideChanges,
        find: "if (change.change !== 'cancel') return unchanged",
        replace: "if (change.change !== 'expand') return unchanged"
      }
    ],
    faults: { freeze: 1, kill: 1 },
    services: ['inventory'],
    breaks: [2]
  },
  {
    name: 'expiry-ignores-confirmation',
    bug: 'a hold expires although it was confirmed',
    patches: [
      {
        file: decideChanges,
        find: "return isHeld(order) && holdUntilMs !== null && holdUntilMs <= requestedAtMs ? release('expired')",
        replace: "return holdUntilMs !== null && holdUntilMs <= requestedAtMs ? release('expired')"
      },
      {
        file: 'services/inventory/store/postgres.ts',
        find: 'statements.deleteHolds(settlements.map(({ event }) => event.orderID))',
        replace: 'statements.deleteHolds(released.map(({ event }) => event.orderID))'
      }
    ],
    faults: { kill: 1 },
    services: ['inventory'],
    breaks: [2]
  },
  {
    name: 'keeps-released',
    bug: 'released stock is no longer reserved, but not available either',
    patches: [
      {
        file: statements,
        find: 'SET available = available - moved.quantity,',
        replace: 'SET available = available - greatest(moved.quantity, 0),'
      }
    ],
    faults: { kill: 1 },
    services: ['inventory'],
    breaks: [4]
  },
  {
    name: 'asks-once',
    bug: 'the expiry of a hold is requested only once, even if that request was never written',
    patches: [
      {
        file: statements,
        find: `UPDATE inventory.holds SET expire_at = greatest($3::timestamptz, $1::timestamptz + ($1 - hold_until) / 10)
      FROM inventory.outcomes`,
        replace: `DELETE FROM inventory.holds
      USING (SELECT * FROM inventory.outcomes WHERE $3::timestamptz IS NOT NULL) AS outcomes`
      }
    ],
    faults: { 'kill-at-point': 1 },
    services: ['inventory'],
    points: ['tick-processed'],
    requestsPerSecond: 40,
    durationMs: 60_000,
    breaks: [2]
  }
]
