import { formatRows } from '@orderly/command-line'
import { guarantees } from '../checker/check.ts'
import { pointsOf, usualWeights } from '../plan/faults.ts'
import type { SeedRecord } from './record.ts'

/**
 * Formats a table of what the recorded runs covered. Each row is a kind of fault, or a kind with a
 * failpoint. Each column is a guarantee. A cell has the number of seeds in which the fault was
 * injected and the guarantee was judged; a point marks a hole.
 */
export function describeCoverage(records: readonly SeedRecord[]): string {
  const numbers = guarantees.map(({ number }) => String(number))
  const rows = rowNames().map(name => {
    const own = records.filter(({ faults, faultsAtPoints }) => (faults[name] ?? faultsAtPoints[name] ?? 0) > 0)
    const cells = numbers.map(number => own.filter(({ violations }) => number in violations).length)
    return { name, cells }
  })
  const holes = rows.flatMap(({ cells }) => cells).filter(count => count === 0).length
  const table = formatRows(
    ['fault', ...numbers],
    rows.map(({ name, cells }) => [name, ...cells.map(count => (count === 0 ? '.' : String(count)))])
  )
  const total = rows.length * numbers.length
  return `${table}\n\n${records.length} seeds; ${holes === 0 ? 'no hole' : `${holes} of ${total} cells are holes`}.`
}

function rowNames(): string[] {
  const points = Object.entries(pointsOf).flatMap(([service, names]) => names.map(name => `${service} ${name}`))
  return Object.keys(usualWeights)
    .filter(kind => kind !== 'heal')
    .flatMap(kind => (kind.endsWith('-at-point') ? points.map(point => `${kind} ${point}`) : [kind]))
}
