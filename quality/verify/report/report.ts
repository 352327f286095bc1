import { countViolations, type Verdict } from '../checker/check.ts'
import { inconclusiveReasons } from '../checker/conclusive.ts'
import type { History, Recovery } from '../history/history.ts'
import { pointsOf, usualWeights } from '../plan/faults.ts'
import { countOrders, type OrderCounts } from './counts.ts'

/** Results of a run; printed as text or JSON. */
export interface Report {
  /** True without violations, if the run is conclusive. */
  readonly ok: boolean
  /** Why too little is known about the run. */
  readonly inconclusive: readonly string[]
  readonly seed: number
  readonly durationMs: number
  readonly orders: OrderCounts
  /** Number of injected faults of each kind, including zeros. */
  readonly faults: Readonly<Record<string, number>>
  /** Number of processes killed or frozen at each failpoint, by service and failpoint. */
  readonly failpointsHit: Readonly<Record<string, number>>
  /** Number of faults at failpoints, by kind, service and failpoint, without zeros. */
  readonly faultsAtPoints: Readonly<Record<string, number>>
  readonly processes: { readonly started: number; readonly endedByThemselves: Readonly<Record<string, number>> }
  readonly recoveries: readonly Recovery[]
  /** Counts of other readers, which share no code with the checkers. */
  readonly crossCheck?: CrossCheck
  readonly violations: number
  readonly guarantees: readonly Verdict[]
}

export interface CrossCheck {
  readonly agrees: boolean
  /** Counts of the history and of the other reader, by name. */
  readonly counts: Readonly<Record<string, readonly [history: number, other: number]>>
}

export function toReport(history: History, verdicts: readonly Verdict[], crossCheck?: CrossCheck): Report {
  const violations = countViolations(verdicts)
  const inconclusive = inconclusiveReasons(history)
  return {
    ok: violations === 0 && crossCheck?.agrees !== false && inconclusive.length === 0,
    inconclusive,
    seed: history.seed,
    durationMs: history.endedAtMs - history.startedAtMs,
    orders: countOrders(history),
    faults: countFaults(history),
    failpointsHit: countPoints(history),
    faultsAtPoints: countFaultsAtPoints(history),
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

function countFaultsAtPoints({ faults, passes, incarnations }: History): Record<string, number> {
  const processes = new Map(incarnations.map(incarnation => [incarnation.pid, incarnation]))
  const counts: Record<string, number> = {}
  for (const { pid, point, signal, atMs } of passes) {
    if (signal === undefined) continue
    const { service, instance } = processes.get(pid) ?? {}
    const fault = faults.find(
      ({ kind, target, startedAtMs, endedAtMs }) =>
        kind.endsWith('-at-point') && target === instance && startedAtMs <= atMs && atMs <= endedAtMs
    )
    if (fault === undefined) continue
    const name = `${fault.kind} ${service} ${point}`
    counts[name] = (counts[name] ?? 0) + 1
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
