import type { Mutant } from './mutant.ts'

const stockAdmin = 'services/inventory/store/stock-admin-statements.ts'

/** Mutants of stock changes. */
export const stockMutants: readonly Mutant[] = [
  {
    name: 'adjusts-again',
    bug: 'the idempotency key of an adjustment is not stored, so a repetition takes effect again',
    patches: [
      { file: stockAdmin, find: 'key?.caller ?? null', replace: 'null' },
      { file: stockAdmin, find: 'key?.key ?? null', replace: 'null' }
    ],
    faults: { kill: 1 },
    services: ['inventory'],
    breaks: [4]
  },
  {
    name: 'counts-reserved-twice',
    bug: 'pieces that were counted on the shelf become available, although some are reserved',
    patches: [
      {
        file: 'services/inventory/domain/stock-count.ts',
        find: ': count.onHand - reserved',
        replace: ': count.onHand'
      }
    ],
    faults: { kill: 1 },
    services: ['inventory'],
    breaks: [4]
  },
  {
    name: 'changes-unlocked',
    bug: 'a stock change does not lock its SKU, so it overwrites a concurrent reservation',
    patches: [{ file: stockAdmin, find: 'ORDER BY sku FOR UPDATE', replace: 'ORDER BY sku' }],
    faults: { freeze: 1 },
    services: ['inventory'],
    requestsPerSecond: 200,
    breaks: [4, 6]
  },
  {
    name: 'movements-lost',
    bug: 'a stock movement counts as published although its publication failed',
    patches: [
      {
        file: 'services/inventory/store/movement-queue.ts',
        find: 'await publish(rows)',
        replace: 'await publish(rows).catch(() => {})'
      }
    ],
    faults: { 'freeze-broker': 1, stall: 1 },
    breaks: [4]
  }
]
