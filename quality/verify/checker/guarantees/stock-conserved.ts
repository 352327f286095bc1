import { topicNames } from '@orderly/contracts'
import type { MovementRow } from '../../history/stock.ts'
import { type Evidence, sumBySKU } from '../evidence.ts'
import type { Finding, Guarantee } from '../guarantee.ts'
import { checkStockChanges } from './stock-changes.ts'

export const stockConserved: Guarantee = {
  number: 4,
  promise:
    'For every SKU the sum of movements = available + reserved, reserved = reservations - releases in the log, and no quantity is negative, at every moment. A stock change takes effect once.',
  check: evidence => [...checkEnd(evidence), ...checkStockChanges(evidence)]
}

/** Checks the stock at the end of the run. */
function checkEnd({ history, visible }: Evidence): Finding[] {
  const { initialStock, tables } = history
  const putInBySKU =
    tables.movements === undefined ? new Map(Object.entries(initialStock)) : movedBySKU(tables.movements)
  const findings: Finding[] = []
  const held = sumBySKU(tables.reservationLines)
  const itemsIn = (topic: string) => sumBySKU(visible(topic).flatMap(({ event }) => event?.items ?? []))
  const [taken, givenBack] = [itemsIn(topicNames.inventoryReserved), itemsIn(topicNames.inventoryReleased)]
  const rows = new Map(tables.stock.map(row => [row.sku, row]))
  for (const [sku, putIn] of putInBySKU) {
    const row = rows.get(sku)
    if (row === undefined) {
      findings.push({ sku, summary: `the stock row of ${sku} is missing` })
      continue
    }
    const { available, reserved } = row
    if (available + reserved !== putIn) {
      findings.push({
        sku,
        summary: `of ${putIn} pieces of ${sku} that were put in, ${available} are available and ${reserved} reserved`
      })
    }
    if (available < 0 || reserved < 0) {
      findings.push({ sku, summary: `${available} of ${sku} are available and ${reserved} reserved` })
    }
    const [out, back] = [taken.get(sku) ?? 0, givenBack.get(sku) ?? 0]
    if (available !== putIn - out + back) {
      const summary = `of ${putIn} pieces of ${sku} that were put in, ${out} were reserved and ${back} released, but ${available} are available`
      findings.push({ sku, summary })
    }
  }
  for (const [sku, { reserved }] of rows) {
    if (!putInBySKU.has(sku)) findings.push({ sku, summary: `${sku} has a stock row, but no movement` })
    const inOrders = held.get(sku) ?? 0
    if (inOrders !== reserved) {
      findings.push({
        sku,
        summary: `${reserved} of ${sku} are reserved, but the reservations of orders add up to ${inOrders}`
      })
    }
  }
  for (const sku of held.keys()) {
    if (!rows.has(sku)) findings.push({ sku, summary: `orders reserve ${sku}, which has no stock row` })
  }
  return findings
}

function movedBySKU(movements: readonly MovementRow[]): ReadonlyMap<string, number> {
  return sumBySKU(movements.map(({ sku, delta }) => ({ sku, quantity: delta })))
}
