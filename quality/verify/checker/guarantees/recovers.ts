import { partitionKey } from '@orderly/kafka'
import type { OffsetCommit } from '../../history/history.ts'
import type { Finding, Guarantee } from '../guarantee.ts'

export const recovers: Guarantee = {
  number: 13,
  promise: 'After the last fault, lag and the last stable offset recover automatically within a stated bound.',
  check({ history, visible }) {
    const findings: Finding[] = []
    for (const { healedAtMs, kinds, boundMs, tookMs, missing } of history.recoveries) {
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

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`
