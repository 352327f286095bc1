import { topicNames } from '@orderly/contracts'
import type { RecordedRecord } from '../../history/history.ts'
import { type DeadLetter, type Evidence, isVisible, partitionOf, placeOf } from '../evidence.ts'
import type { Finding, Guarantee } from '../guarantee.ts'

export const parkedOnce: Guarantee = {
  number: 14,
  promise:
    'A record that cannot be processed is parked once in its dead-letter topic with the reason, the later ones of its key behind it; the partition moves on.',
  check: evidence => [
    ...checkPoison(evidence),
    ...evidence.deadLetters.flatMap(letter => checkLetter(evidence, letter)),
    ...inputs.flatMap(topic => checkKeys(evidence, topic))
  ]
}

/** Where poison is written to. */
const inputs = [topicNames.ordersCreated, topicNames.ordersChanges]

function checkPoison({ visible, deadLettersByOrigin, history }: Evidence): Finding[] {
  const written = inputs.flatMap(visible).filter(({ event }) => event === undefined)
  const found = new Set(written.map(({ headers }) => headers['verify-poison']))
  const lost = history.poison.filter(({ id, acknowledged }) => acknowledged && !found.has(id))
  return [
    ...lost.map(({ id, writtenAtMs }) => ({
      summary: `poison record ${id} was acknowledged and is not there`,
      atMs: writtenAtMs
    })),
    ...written.flatMap(record => {
      const count = deadLettersByOrigin.get(placeOf(record))?.length ?? 0
      return count === 1
        ? []
        : [
            {
              summary: `${placeOf(record)} can be nothing and was parked ${count} times by the stage that decides`,
              records: [record]
            }
          ]
    })
  ]
}

function checkLetter(evidence: Evidence, { record, origin, stage }: DeadLetter): Finding[] {
  const { recordAt, deadLetters } = evidence
  const original = recordAt.get(origin)
  const records = original === undefined ? [record] : [original, record]
  const about = { records, orderID: original?.event?.orderID }
  if (original === undefined || !isVisible(original))
    return [{ ...about, summary: `${origin} was parked and is not there` }]
  const findings: Finding[] = []
  // A stage without transactions may park again what it had parked.
  const again = deadLetters.find(
    other => other.origin === origin && other.stage === stage && other.record.transaction === 'committed'
  )
  if (again !== undefined && again.record !== record && record.transaction === 'committed') {
    findings.push({ ...about, summary: `stage ${stage} parked ${origin} more than once` })
  }
  if (original.valueDigest !== record.valueDigest || original.key !== record.key) {
    findings.push({ ...about, summary: `${origin} was parked with other bytes than it had` })
  }
  if (!record.headers['dlq-reason'] || stage === '') {
    findings.push({ ...about, summary: `${origin} was parked without a reason` })
  }
  return findings
}

/** Checks each key of each partition: from the first poison record on, everything is parked, in its order. A null key blocks nothing. */
function checkKeys({ visible, deadLettersByOrigin }: Evidence, topic: string): Finding[] {
  const findings: Finding[] = []
  const poisoned = new Set<string>()
  const lastLetter = new Map<string, RecordedRecord>()
  for (const record of visible(topic)) {
    const key = `${partitionOf(record)} ${record.key}`
    const about = { records: [record], orderID: record.event?.orderID, userID: record.event?.userID }
    const [letter] = deadLettersByOrigin.get(placeOf(record)) ?? []
    if (record.key === null) continue
    if (record.event === undefined) poisoned.add(key)
    else if (letter === undefined && poisoned.has(key)) {
      findings.push({
        ...about,
        summary: `an earlier record of ${record.key} is parked, and this one was not parked behind it`
      })
    } else if (letter !== undefined && !poisoned.has(key)) {
      findings.push({ ...about, summary: `a good record was parked: ${letter.record.headers['dlq-reason']}` })
    }
    if (letter === undefined) continue
    const before = lastLetter.get(key)
    if (
      before !== undefined &&
      (before.partition !== letter.record.partition || before.offset > letter.record.offset)
    ) {
      findings.push({
        ...about,
        records: [before, letter.record],
        summary: `dead letters of ${record.key} have lost their order`
      })
    }
    lastLetter.set(key, letter.record)
  }
  return findings
}
