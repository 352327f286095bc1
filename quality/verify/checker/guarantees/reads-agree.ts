import { partitionKey } from '@orderly/kafka'
import type { History, RecordedRecord } from '../../history/history.ts'
import type { Poll, ReaderRun } from '../../history/reads.ts'
import { type Evidence, isVisible } from '../evidence.ts'
import type { Finding } from '../guarantee.ts'

/**
 * Compares what each committed reader returned during the run with the final log, which contains
 * every record with the marker of its transaction. The README of the verifier lists the anomalies of
 * `jepsen.tests.kafka` that these checks correspond to.
 */
export function checkReads(evidence: Evidence): Finding[] {
  const runs = runsOf(evidence.history)
  const visible = Map.groupBy(evidence.history.records.filter(isVisible), partitionKey)
  for (const records of visible.values()) records.sort((a, b) => a.offset - b.offset)
  return [
    ...runs.flatMap(run => checkRun(run, visible, evidence)),
    ...runs.flatMap(({ reader, failure }) => {
      return failure === undefined ? [] : [{ summary: `the reader ${reader} failed: ${failure}` }]
    })
  ]
}

/** Returns the readers; histories of earlier versions have one, which read after the run. */
function runsOf({ reads, committedReads = {} }: History): readonly ReaderRun[] {
  if (reads !== undefined) return reads
  const polls = Object.entries(committedReads).map(([name, offsets]): Poll => {
    const slash = name.lastIndexOf('/')
    const [topic, partition] = [name.slice(0, slash), Number(name.slice(slash + 1))]
    return { atMs: 0, topic, partition, records: offsets.map(offset => [offset]) }
  })
  return [{ reader: 'orderly', polls }]
}

function checkRun(
  { reader, polls }: ReaderRun,
  visible: ReadonlyMap<string, readonly RecordedRecord[]>,
  { recordAt }: Evidence
): Finding[] {
  const findings: Finding[] = []
  const byPartition = Map.groupBy(polls, partitionKey)
  for (const name of new Set([...byPartition.keys(), ...visible.keys()])) {
    const expected = visible.get(name) ?? []
    const seen = new Set<number>()
    let previous = -1
    for (const { atMs, records } of byPartition.get(name) ?? []) {
      for (const [offset, digest] of records) {
        const record = recordAt.get(`${name}/${offset}`)
        const about = { records: record === undefined ? [] : [record], orderID: record?.event?.orderID, atMs }
        const wrong = wrongWith(record, { offset, digest, atMs })
        if (wrong !== undefined) findings.push({ ...about, summary: `${reader} returned ${name}/${offset}, ${wrong}` })
        if (seen.has(offset)) findings.push({ ...about, summary: `${reader} returned ${name}/${offset} twice` })
        else if (offset < previous)
          findings.push({ ...about, summary: `${reader} returned ${name}/${offset} after ${previous}` })
        seen.add(offset)
        previous = Math.max(previous, offset)
      }
    }
    for (const record of expected) {
      if (seen.has(record.offset)) continue
      const how = record.offset < previous ? 'skipped' : 'did not return'
      const summary = `${reader} ${how} ${name}/${record.offset}, which is committed`
      findings.push({ records: [record], orderID: record.event?.orderID, summary })
    }
  }
  return findings
}

/** Returns what is wrong with a record that was read; undefined for a visible record. */
function wrongWith(
  record: RecordedRecord | undefined,
  { digest, atMs }: { readonly offset: number; readonly digest: string | null | undefined; readonly atMs: number }
): string | undefined {
  if (record === undefined) return 'which is not in the log'
  if (!isVisible(record)) return `which is ${record.transaction}`
  if (digest !== undefined && digest !== record.valueDigest)
    return `with the value ${digest}; the log has ${record.valueDigest}`
  if (atMs > 0 && (record.committedAtMs ?? 0) > atMs) return 'before its transaction was committed'
  return undefined
}
