import type { History } from '../history/history.ts'
import { collectEvidence } from './evidence.ts'
import type { Guarantee } from './guarantee.ts'
import { acceptedOnce } from './guarantees/accepted-once.ts'
import { allNotified } from './guarantees/all-notified.ts'
import { auditComplete } from './guarantees/audit-complete.ts'
import { deadLetteredOnce } from './guarantees/dead-lettered-once.ts'
import { failedOnlyIfShort } from './guarantees/failed-only-if-short.ts'
import { nothingFromNothing } from './guarantees/nothing-from-nothing.ts'
import { offsetsGrow } from './guarantees/offsets-grow.ts'
import { oneOutcome } from './guarantees/one-outcome.ts'
import { orderKept } from './guarantees/order-kept.ts'
import { ratesAddUp } from './guarantees/rates-add-up.ts'
import { recovers } from './guarantees/recovers.ts'
import { reservationsMatch } from './guarantees/reservations-match.ts'
import { statusShown } from './guarantees/status-shown.ts'
import { stockConserved } from './guarantees/stock-conserved.ts'
import { zombiesHarmless } from './guarantees/zombies-harmless.ts'
import { collectContext, type ViolationContext } from './violation-context.ts'

/** All guarantees, each with its checker. */
export const guarantees: readonly Guarantee[] = [
  acceptedOnce,
  oneOutcome,
  nothingFromNothing,
  stockConserved,
  reservationsMatch,
  failedOnlyIfShort,
  orderKept,
  offsetsGrow,
  ratesAddUp,
  auditComplete,
  allNotified,
  zombiesHarmless,
  recovers,
  deadLetteredOnce,
  statusShown
]

export interface Violation {
  readonly guarantee: number
  readonly summary: string
  readonly around: ViolationContext
}

export interface Verdict {
  readonly guarantee: number
  readonly promise: string
  /** Number of violations; at most `shownPerGuarantee` of them are described. */
  readonly count: number
  readonly violations: readonly Violation[]
}

const shownPerGuarantee = 10

/** Checks all guarantees against a history. Pure: the same history always has the same verdicts. */
export function check(history: History): Verdict[] {
  const evidence = collectEvidence(history)
  const applicable = guarantees.filter(({ appliesTo }) => appliesTo?.(history) ?? true)
  return applicable.map(({ number, promise, check }) => {
    const findings = check(evidence)
    const violations = findings.slice(0, shownPerGuarantee).map(finding => ({
      guarantee: number,
      summary: finding.summary,
      around: collectContext(evidence, finding)
    }))
    return { guarantee: number, promise, count: findings.length, violations }
  })
}

export function countViolations(verdicts: readonly Verdict[]): number {
  return verdicts.reduce((sum, { count }) => sum + count, 0)
}
