import { partitionKey } from '@orderly/kafka'
import { type Evidence, isVisible, resultTopics } from '../evidence.ts'
import type { Finding, Guarantee } from '../guarantee.ts'

export const nothingFromNothing: Guarantee = {
  number: 3,
  promise: 'Every outcome has an order. A read_committed reader never returns a record of an aborted transaction.',
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
      findings.push({ orderID, records, summary: 'an outcome without an order in the topic' })
  }
  for (const orderID of rowsByID.keys()) {
    if (!ordersByID.has(orderID))
      findings.push({ orderID, summary: 'the database decided an order that is not in the topic' })
  }
  const eventIDs = new Set(resultTopics.flatMap(topic => visible(topic).map(idOf)))
  for (const [id, [line]] of notificationsByID) {
    if (eventIDs.has(id)) continue
    findings.push({
      orderID: line?.orderID,
      atMs: line?.atMs ?? history.startedAtMs,
      summary: `notification ${id} reports an outcome that was never committed`
    })
  }
  return findings
}

const idOf = ({ headers }: { headers: Readonly<Record<string, string>> }): string => headers['event-id'] ?? ''

/** Compares the offsets that our reader returned with the transaction markers in the log. */
function compareReads({ history, recordAt }: Evidence): Finding[] {
  const findings: Finding[] = []
  const expected = Map.groupBy(history.records, partitionKey)
  for (const { topic, partition, lastStableOffset } of history.partitions) {
    const name = partitionKey({ topic, partition })
    const read = history.committedReads[name] ?? []
    const seen = new Set<number>()
    let previous = -1
    for (const offset of read) {
      const record = recordAt.get(`${name}/${offset}`)
      const about = { records: record === undefined ? [] : [record], orderID: record?.event?.orderID }
      if (record === undefined || !isVisible(record)) {
        findings.push({
          ...about,
          summary: `the reader returned ${name}/${offset}, which is ${record?.transaction ?? 'not a record'}`
        })
      }
      if (seen.has(offset)) findings.push({ ...about, summary: `the reader returned ${name}/${offset} twice` })
      else if (offset < previous)
        findings.push({ ...about, summary: `the reader returned ${name}/${offset} out of order` })
      seen.add(offset)
      previous = offset
    }
    for (const record of expected.get(name) ?? []) {
      if (isVisible(record) && record.offset < lastStableOffset && !seen.has(record.offset)) {
        const summary = `the reader did not return ${name}/${record.offset}, which is committed`
        findings.push({ records: [record], orderID: record.event?.orderID, summary })
      }
    }
  }
  return findings
}
