import type { Report } from './report.ts'

/**
 * Returns the five lines with which a report begins, for readers who see one for the first time.
 */
export function summarize(report: Report): string {
  const { seed, durationMs, orders, faults, recoveries, guarantees } = report
  const injected = Object.values(faults).reduce((sum, count) => sum + count, 0)
  const kinds = Object.values(faults).filter(count => count > 0).length
  const slowestMs = Math.max(0, ...recoveries.map(({ tookMs }) => tookMs ?? Number.POSITIVE_INFINITY))
  const recovered = Number.isFinite(slowestMs) ? `within ${(slowestMs / 1_000).toFixed(1)} s` : 'not every time'
  return [
    `Result:     ${resultOf(report)}.`,
    `Load:       ${orders.placed} orders in ${(durationMs / 1_000).toFixed(0)} s: ${orders.accepted} accepted, ${orders.refused} refused, ${orders.unknown} without an answer.`,
    `Faults:     ${injected} faults of ${kinds} kinds were injected while the orders arrived; the system recovered ${recovered}.`,
    `Checked:    ${guarantees.length} guarantees, against every request, record, row and notification of the run.`,
    `Reproduce:  --seed ${seed} repeats the plan; --recheck checks the saved history of a run again.`
  ].join('\n')
}

function resultOf({ ok, violations, crossCheck, inconclusive }: Report): string {
  if (ok) return 'no guarantee was violated'
  if (crossCheck?.agrees === false)
    return `${violations} violations, and other readers count differently than the checker`
  if (violations === 0) return `inconclusive: ${inconclusive.join('; ')}`
  return `${violations} violations, each with its context below`
}
