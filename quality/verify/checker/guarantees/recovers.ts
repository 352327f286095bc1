import { partitionKey } from '@orderly/kafka'
import type { History, OffsetCommit, Recovery } from '../../history/history.ts'
import { slowdownIn } from '../../history/slowdown.ts'
import type { Finding, Guarantee } from '../guarantee.ts'

const serviceBoundMs = 15_000
const serverBoundMs = 20_000

/** Returns the bound for the recovery after faults of these kinds on the reference machine. */
export function recoveryBoundMs(kinds: readonly string[]): number {
  return kinds.some(kind => /broker|postgres|>/.test(kind)) ? serverBoundMs : serviceBoundMs
}

export const recovers: Guarantee = {
  number: 13,
  promise: 'After the last fault, lag and the last stable offset recover automatically within a stated bound.',
  check({ history, visible }) {
    const findings: Finding[] = []
    for (const recovery of history.recoveries) {
      const { healedAtMs, kinds, tookMs, missing } = recovery
      const boundMs = extendedBound(recovery, history)
      if (tookMs !== undefined && tookMs <= boundMs) continue
      const how = tookMs === undefined ? `did not recover (${missing})` : `took ${seconds(tookMs)} to recover`
      findings.push({
        atMs: healedAtMs,
        summary: `after ${kinds.join(', ')} the pipeline ${how}; the bound is ${seconds(boundMs)}`
      })
    }
    const reached = new Map<string, OffsetCommit>()
    for (const commit of history.offsetCommits) reached.set(`${commit.group} ${partitionKey(commit)}`, commit)
    for (const { topic, partition, lastStableOffset, highWatermark } of history.partitions) {
      if (lastStableOffset !== highWatermark) {
        findings.push({
          summary: `${topic}/${partition} has last stable offset ${lastStableOffset} below high watermark ${highWatermark}`
        })
      }
    }
    for (const { group, inputs } of history.groups) {
      for (const record of inputs.flatMap(visible)) {
        const commit = reached.get(`${group} ${partitionKey(record)}`)
        if (record.offset < (commit?.offset ?? 0)) continue
        findings.push({
          records: [record],
          orderID: record.event?.orderID,
          summary: `group ${group} has not processed ${partitionKey(record)}/${record.offset}`
        })
      }
    }
    return findings
  }
}

/**
 * Returns the bound, extended by all samples of the machine. During the run, the last sample was not
 * known when the recovery was measured.
 */
function extendedBound({ healedAtMs, kinds, boundMs, tookMs }: Recovery, { machine, endedAtMs }: History): number {
  const untilMs = tookMs === undefined ? endedAtMs : healedAtMs + tookMs
  return Math.max(boundMs, recoveryBoundMs(kinds) * slowdownIn(machine, healedAtMs, untilMs))
}

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`
