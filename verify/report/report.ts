import { countViolations, type Verdict } from '../checker/check.ts'
import type { History, Recovery } from '../history/history.ts'
import { pointsOf, usualWeights } from '../plan/faults.ts'
import { countOrders, type OrderCounts } from './counts.ts'

/** What a run came to; printed for people or as JSON. */
export interface Report {
  readonly ok: boolean
  readonly seed: number
  readonly durationMs: number
  readonly orders: OrderCounts
  /** How often each kind of fault was done; 0 for those that did not come up. */
  readonly faults: Readonly<Record<string, number>>
  /** By service and point: how often a process was killed or frozen there. */
  readonly pointsHit: Readonly<Record<string, number>>
  readonly processes: { readonly started: number; readonly endedByThemselves: Readonly<Record<string, number>> }
  readonly recoveries: readonly Recovery[]
  /** What other readers say that share no code with the checker. */
  readonly crossCheck?: CrossCheck
  readonly violations: number
  readonly guarantees: readonly Verdict[]
}

export interface CrossCheck {
  readonly agrees: boolean
  /** By what was counted: what the history says, and what the other reader says. */
  readonly counts: Readonly<Record<string, readonly [history: number, other: number]>>
}

export function toReport(history: History, verdicts: readonly Verdict[], crossCheck?: CrossCheck): Report {
  const violations = countViolations(verdicts)
  return {
    ok: violations === 0 && crossCheck?.agrees !== false,
    seed: history.seed,
    durationMs: history.endedAtMs - history.startedAtMs,
    orders: countOrders(history),
    faults: countFaults(history),
    pointsHit: countPoints(history),
    processes: countProcesses(history),
    recoveries: history.recoveries,
    ...(crossCheck && { crossCheck }),
    violations,
    guarantees: verdicts
  }
}

function countFaults({ faults }: History): Record<string, number> {
  const kinds = Object.keys(usualWeights).filter(kind => kind !== 'heal')
  return Object.fromEntries(kinds.map(kind => [kind, faults.filter(fault => fault.kind === kind).length]))
}

function countPoints({ passes, incarnations, instances }: History): Record<string, number> {
  const services = new Map(incarnations.map(({ pid, service }) => [pid, service]))
  const counts: Record<string, number> = {}
  for (const service of Object.keys(instances)) {
    for (const point of pointsOf[service] ?? []) counts[`${service} ${point}`] = 0
  }
  for (const { pid, point, signal } of passes) {
    const name = `${services.get(pid)} ${point}`
    if (signal !== undefined) counts[name] = (counts[name] ?? 0) + 1
  }
  return counts
}

function countProcesses({ incarnations, endedAtMs }: History): Report['processes'] {
  const endedByThemselves: Record<string, number> = {}
  for (const { exit, endedAtMs: ownEndMs = endedAtMs } of incarnations) {
    if (exit === undefined || exit.code === null || exit.code === 0 || ownEndMs >= endedAtMs) continue
    const name = `exit code ${exit.code}`
    endedByThemselves[name] = (endedByThemselves[name] ?? 0) + 1
  }
  return { started: incarnations.length, endedByThemselves }
}
