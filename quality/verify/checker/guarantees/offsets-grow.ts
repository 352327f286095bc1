import { topicNames } from '@orderly/contracts'
import { partitionKey } from '@orderly/kafka'
import type { OffsetCommit, RecordedRecord } from '../../history/history.ts'
import { type Evidence, positionKey } from '../evidence.ts'
import type { Finding, Guarantee } from '../guarantee.ts'

export const offsetsGrow: Guarantee = {
  number: 8,
  promise:
    'Committed offsets only increase within one topic id and one history of leader epochs, and every record below them is processed.',
  check(evidence) {
    const byPartition = Map.groupBy(evidence.history.offsetCommits, commit => `${commit.group} ${partitionKey(commit)}`)
    return [...byPartition.values()].flatMap(commits => [...findSteps(commits), ...findGaps(evidence, commits)])
  }
}

function findSteps(commits: readonly OffsetCommit[]): Finding[] {
  const findings: Finding[] = []
  for (const [index, commit] of commits.entries()) {
    const before = commits[index - 1]
    if (before === undefined || commit.offset >= before.offset) continue
    const summary = `group ${commit.group} moved back from ${before.offset} to ${commit.offset} in ${partitionKey(commit)}`
    findings.push({ summary, atMs: commit.timestampMs })
  }
  return findings
}

/**
 * Checks that all records below the highest committed offset are processed, even if it decreased
 * later.
 */
function findGaps(evidence: Evidence, commits: readonly OffsetCommit[]): Finding[] {
  const [first] = commits
  if (first === undefined) return []
  const committed = Math.max(...commits.map(({ offset }) => offset))
  const end = evidence.history.partitions.find(end => partitionKey(end) === partitionKey(first))
  const findings: Finding[] = []
  if (end !== undefined && committed > end.highWatermark) {
    findings.push({
      summary: `group ${first.group} committed ${committed} in ${partitionKey(first)}, which ends at ${end.highWatermark}`
    })
  }
  for (const record of evidence.visible(first.topic)) {
    if (record.partition !== first.partition || record.offset >= committed || isDone(evidence, record)) continue
    const summary = `group ${first.group} committed ${committed} in ${partitionKey(first)}, but ${positionKey(record)} is not processed`
    findings.push({ summary, records: [record], orderID: record.event?.orderID })
  }
  return findings
}

function isDone({ deadLettersByOrigin, outcomesByID, notificationsByID }: Evidence, record: RecordedRecord): boolean {
  if (deadLettersByOrigin.has(positionKey(record))) return true
  if (record.topic === topicNames.ordersCreated) return outcomesByID.has(record.event?.orderID ?? '')
  // Guarantee 2 checks the effects of change requests; most have none.
  return record.topic === topicNames.ordersChanges || notificationsByID.has(record.headers['event-id'] ?? '')
}
