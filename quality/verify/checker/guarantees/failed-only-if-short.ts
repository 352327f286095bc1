import { failureReasons } from '@orderly/contracts'
import type { OutcomeRow } from '../../history/history.ts'
import type { Line } from '../../plan/load.ts'
import { sumBySKU } from '../evidence.ts'
import type { Finding, Guarantee } from '../guarantee.ts'

/**
 * Orders of several partitions compete for one SKU, so the sequence of their decisions counts. The
 * database numbers decisions while it holds the locks of their stock rows: for each SKU the numbers
 * increase in the order of the decisions. Replaying all decisions and releases by number, from the
 * initial stock, must therefore reproduce each decision with its shortages and reasons: UNKNOWN_SKU
 * for a SKU that was never stocked, OUT_OF_STOCK otherwise.
 */
export const failedOnlyIfShort: Guarantee = {
  number: 6,
  promise: 'An order fails for lack of stock only if stock was short when it was decided.',
  check({ history, ordersByID }) {
    const left = new Map(Object.entries(history.initialStock))
    const findings: Finding[] = []
    const { outcomes, settlements } = history.tables
    const releases = settlements.filter(({ kind }) => kind === 'released').toSorted((a, b) => b.sequence - a.sequence)
    const itemsOf = new Map(outcomes.map(({ orderID, items }) => [orderID, items ?? []]))
    for (const row of outcomes.toSorted((a, b) => a.sequence - b.sequence)) {
      while ((releases.at(-1)?.sequence ?? row.sequence) < row.sequence) {
        for (const { sku, quantity } of itemsOf.get(releases.pop()?.orderID ?? '') ?? [])
          left.set(sku, (left.get(sku) ?? 0) + quantity)
      }
      if (row.reason === failureReasons.cancelled) continue
      const items = ordersByID.get(row.orderID)?.[0]?.event?.items ?? row.items
      if (items === null || items === undefined) continue
      const shortages = shortagesOf(items, left)
      const about = { orderID: row.orderID, userID: row.userID, atMs: row.decidedAtMs, sku: items[0]?.sku }
      if (row.kind === 'reserved') {
        if (shortages.length > 0)
          findings.push({
            ...about,
            summary: `reserved as number ${row.sequence} despite a shortage of ${list(shortages)}`
          })
        for (const [sku, quantity] of sumBySKU(items)) left.set(sku, (left.get(sku) ?? 0) - quantity)
      } else if (shortages.length === 0) {
        findings.push({ ...about, summary: `failed as number ${row.sequence} despite sufficient stock` })
      } else if (list(shortages) !== list(row.shortages ?? [])) {
        const summary = `failed as number ${row.sequence} with shortages ${list(row.shortages ?? [])} instead of ${list(shortages)}`
        findings.push({ ...about, summary })
      } else if (row.reason !== reasonOf(shortages)) {
        findings.push({ ...about, summary: `failed with reason ${row.reason} instead of ${reasonOf(shortages)}` })
      }
    }
    return findings
  }
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
