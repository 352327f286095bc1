import { failureReasons } from '@orderly/contracts'
import type { OutcomeRow, Tables } from '../../history/history.ts'
import type { MovementRow } from '../../history/stock.ts'
import type { Line } from '../../plan/load.ts'
import { type Evidence, sumBySKU } from '../evidence.ts'
import type { Finding, Guarantee } from '../guarantee.ts'

/**
 * Orders of several partitions compete for one SKU, so the sequence of their decisions counts. The
 * database numbers decisions while it holds the locks of their stock rows: for each SKU the numbers
 * increase in the order of the decisions. Releases and stock movements have numbers of the same
 * sequence. Replaying all of them by number must therefore reproduce each decision with its shortages
 * and reasons: UNKNOWN_SKU for a SKU that was never stocked, OUT_OF_STOCK otherwise.
 */
export const failedOnlyIfShort: Guarantee = {
  number: 6,
  promise: 'An order fails for lack of stock only if stock was short when it was decided.',
  check({ history, ordersByID }) {
    const { initialStock, tables } = history
    // The movements of the start put the initial stock in.
    const left = new Map(tables.movements === undefined ? Object.entries(initialStock) : [])
    const findings: Finding[] = []
    for (const step of stepsOf(tables)) {
      if (step.kind === 'decision') findings.push(...replayDecision(step.row, left, ordersByID))
      else if (step.kind === 'movement') findings.push(...replayMovement(step.row, left))
      else for (const { sku, quantity } of step.items) left.set(sku, (left.get(sku) ?? 0) + quantity)
    }
    return findings
  }
}

type Step =
  | { readonly kind: 'decision'; readonly sequence: number; readonly row: OutcomeRow }
  | { readonly kind: 'release'; readonly sequence: number; readonly items: readonly Line[] }
  | { readonly kind: 'movement'; readonly sequence: number; readonly row: MovementRow }

/** Returns all decisions, releases and stock movements in the order of their numbers. */
function stepsOf({ outcomes, settlements, movements = [] }: Tables): Step[] {
  const itemsOf = new Map(outcomes.map(({ orderID, items }) => [orderID, items ?? []]))
  const releases = settlements.filter(({ kind }) => kind === 'released')
  return [
    ...outcomes.map((row): Step => ({ kind: 'decision', sequence: row.sequence, row })),
    ...releases.map(
      ({ sequence, orderID }): Step => ({ kind: 'release', sequence, items: itemsOf.get(orderID) ?? [] })
    ),
    ...movements.map((row): Step => ({ kind: 'movement', sequence: row.sequence, row }))
  ].sort((a, b) => a.sequence - b.sequence)
}

function replayDecision(row: OutcomeRow, left: Map<string, number>, ordersByID: Evidence['ordersByID']): Finding[] {
  if (row.reason === failureReasons.cancelled) return []
  const items = ordersByID.get(row.orderID)?.[0]?.event?.items ?? row.items
  if (items === null || items === undefined) return []
  const shortages = shortagesOf(items, left)
  const find = (summary: string): Finding[] => [
    { orderID: row.orderID, userID: row.userID, atMs: row.decidedAtMs, sku: items[0]?.sku, summary }
  ]
  if (row.kind === 'reserved') {
    for (const [sku, quantity] of sumBySKU(items)) left.set(sku, (left.get(sku) ?? 0) - quantity)
    return shortages.length === 0
      ? []
      : find(`reserved as number ${row.sequence} despite a shortage of ${list(shortages)}`)
  }
  if (shortages.length === 0) return find(`failed as number ${row.sequence} despite sufficient stock`)
  if (list(shortages) !== list(row.shortages ?? []))
    return find(
      `failed as number ${row.sequence} with shortages ${list(row.shortages ?? [])} instead of ${list(shortages)}`
    )
  return row.reason === reasonOf(shortages)
    ? []
    : find(`failed with reason ${row.reason} instead of ${reasonOf(shortages)}`)
}

/** Checks that a movement started from the stock that the steps before it left. */
function replayMovement({ sku, sequence, delta, available }: MovementRow, left: Map<string, number>): Finding[] {
  const expected = (left.get(sku) ?? 0) + delta
  left.set(sku, available)
  if (available === expected) return []
  const summary = `movement ${sequence} of ${sku} left ${available} available; the decisions before it leave ${expected}`
  return [{ sku, summary }]
}

type Shortages = NonNullable<OutcomeRow['shortages']>

function shortagesOf(items: readonly Line[], left: ReadonlyMap<string, number>): Shortages {
  return [...sumBySKU(items)]
    .map(([sku, requested]) => {
      const reason = left.has(sku) ? failureReasons.outOfStock : failureReasons.unknownSKU
      return { sku, requested, available: left.get(sku) ?? 0, reason }
    })
    .filter(({ requested, available }) => requested > available)
}

function reasonOf(shortages: Shortages): string {
  const isUnknown = shortages.some(({ reason }) => reason === failureReasons.unknownSKU)
  return isUnknown ? failureReasons.unknownSKU : failureReasons.outOfStock
}

function list(shortages: Shortages): string {
  return shortages
    .map(
      ({ sku, requested, available, reason }) => `${sku} (${requested} requested, ${available} available, ${reason})`
    )
    .toSorted()
    .join(', ')
}
