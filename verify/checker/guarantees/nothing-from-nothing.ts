import { type Evidence, isVisible, partitionOf, resultTopics } from '../evidence.ts'
import type { Finding, Guarantee } from '../guarantee.ts'

export const nothingFromNothing: Guarantee = {
  number: 3,
  promise: 'No outcome without an order. A read_committed reader never sees a record of an aborted transaction.',
  check: evidence => [...findOrphans(evidence), ...compareReads(evidence)]
}

function findOrphans({
  history,
  ordersByID,
  outcomesByID,
  settlementsByID,
  rowsByID,
  notificationsByID,
  visible
}: Evidence): Finding[] {
  const findings: Finding[] = []
  for (const [orderID, records] of [...outcomesByID, ...settlementsByID]) {
    if (!ordersByID.has(orderID))
      findings.push({ orderID, records, summary: 'an outcome of an order that is not there' })
  }
  for (const orderID of rowsByID.keys()) {
    if (!ordersByID.has(orderID)) findings.push({ orderID, summary: 'the database decided an order that is not there' })
  }
  const eventIDs = new Set(resultTopics.flatMap(topic => visible(topic).map(idOf)))
  for (const [id, [line]] of notificationsByID) {
    if (eventIDs.has(id)) continue
    findings.push({
      orderID: line?.orderID,
      atMs: line?.atMs ?? history.startedAtMs,
      summary: `notification ${id} tells of an outcome that nobody committed`
    })
  }
  return findings
}

const idOf = ({ headers }: { headers: Readonly<Record<string, string>> }): string => headers['event-id'] ?? ''

/** What the project's own reader saw against what the markers in the log say. */
function compareReads({ history, recordAt }: Evidence): Finding[] {
  const findings: Finding[] = []
  const expected = Map.groupBy(history.records, partitionOf)
  for (const { topic, partition, lastStableOffset } of history.partitions) {
    const name = partitionOf({ topic, partition })
    const read = history.committedReads[name] ?? []
    const seen = new Set<number>()
    let previous = -1
    for (const offset of read) {
      const record = recordAt.get(`${name}/${offset}`)
      const about = { records: record === undefined ? [] : [record], orderID: record?.event?.orderID }
      if (record === undefined || !isVisible(record)) {
        findings.push({
          ...about,
          summary: `the reader saw ${name}/${offset}, which is ${record?.transaction ?? 'no record'}`
        })
      }
      if (seen.has(offset)) findings.push({ ...about, summary: `the reader saw ${name}/${offset} twice` })
      else if (offset < previous) findings.push({ ...about, summary: `the reader saw ${name}/${offset} out of order` })
      seen.add(offset)
      previous = offset
    }
    for (const record of expected.get(name) ?? []) {
      if (isVisible(record) && record.offset < lastStableOffset && !seen.has(record.offset)) {
        const summary = `the reader did not see ${name}/${record.offset}, which is committed`
        findings.push({ records: [record], orderID: record.event?.orderID, summary })
      }
    }
  }
  return findings
}
