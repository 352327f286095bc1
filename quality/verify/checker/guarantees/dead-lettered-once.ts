import { topicNames } from '@orderly/contracts'
import { partitionKey } from '@orderly/kafka'
import type { RecordedRecord } from '../../history/history.ts'
import { type DeadLetter, type Evidence, isVisible, positionKey } from '../evidence.ts'
import type { Finding, Guarantee } from '../guarantee.ts'

export const deadLetteredOnce: Guarantee = {
  number: 14,
  promise:
    'A record that cannot be processed becomes exactly one dead letter with a reason, followed by the later records of its key; the partition continues.',
  check: evidence => [
    ...checkPoison(evidence),
    ...evidence.deadLetters.flatMap(deadLetter => checkDeadLetter(evidence, deadLetter)),
    ...inputs.flatMap(topic => checkKeys(evidence, topic))
  ]
}

/** Topics to which the verifier writes poison records. */
const inputs = [topicNames.ordersCreated, topicNames.ordersChanges]

function checkPoison({ visible, deadLettersByOrigin, history }: Evidence): Finding[] {
  const written = inputs.flatMap(visible).filter(({ event }) => event === undefined)
  const found = new Set(written.map(({ headers }) => headers['verify-poison']))
  const lost = history.poison.filter(({ id, acknowledged }) => acknowledged && !found.has(id))
  return [
    ...lost.map(({ id, writtenAtMs }) => ({
      summary: `poison record ${id} was acknowledged, but is not in the topic`,
      atMs: writtenAtMs
    })),
    ...written.flatMap(record => {
      const count = deadLettersByOrigin.get(positionKey(record))?.length ?? 0
      return count === 1
        ? []
        : [
            {
              summary: `${positionKey(record)} is poison and has ${count} dead letters of the deciding stage instead of one`,
              records: [record]
            }
          ]
    })
  ]
}

function checkDeadLetter(evidence: Evidence, { record, origin, stage }: DeadLetter): Finding[] {
  const { recordAt, deadLetters } = evidence
  const original = recordAt.get(origin)
  const records = original === undefined ? [record] : [original, record]
  const about = { records, orderID: original?.event?.orderID }
  if (original === undefined || !isVisible(original))
    return [{ ...about, summary: `${origin} has a dead letter, but is not in the topic` }]
  const findings: Finding[] = []
  // A stage without transactions may write a dead letter again.
  const again = deadLetters.find(
    other => other.origin === origin && other.stage === stage && other.record.transaction === 'committed'
  )
  if (again !== undefined && again.record !== record && record.transaction === 'committed') {
    findings.push({ ...about, summary: `stage ${stage} wrote more than one dead letter of ${origin}` })
  }
  if (original.valueDigest !== record.valueDigest || original.key !== record.key) {
    findings.push({ ...about, summary: `the dead letter of ${origin} has another key or value` })
  }
  if (!record.headers['dlq-reason'] || stage === '') {
    findings.push({ ...about, summary: `the dead letter of ${origin} has no reason or no stage` })
  }
  return findings
}

/**
 * Checks that all records of a key, from its first poison record on, are dead letters in the same
 * order. A null key blocks nothing.
 */
function checkKeys({ visible, deadLettersByOrigin }: Evidence, topic: string): Finding[] {
  const findings: Finding[] = []
  const poisoned = new Set<string>()
  const lastDeadLetter = new Map<string, RecordedRecord>()
  for (const record of visible(topic)) {
    const key = `${partitionKey(record)} ${record.key}`
    const about = { records: [record], orderID: record.event?.orderID, userID: record.event?.userID }
    const [deadLetter] = deadLettersByOrigin.get(positionKey(record)) ?? []
    if (record.key === null) continue
    if (record.event === undefined) poisoned.add(key)
    else if (deadLetter === undefined && poisoned.has(key)) {
      findings.push({
        ...about,
        summary: `the key ${record.key} is blocked, but this later record has no dead letter`
      })
    } else if (deadLetter !== undefined && !poisoned.has(key)) {
      findings.push({
        ...about,
        summary: `a valid record became a dead letter: ${deadLetter.record.headers['dlq-reason']}`
      })
    }
    if (deadLetter === undefined) continue
    const before = lastDeadLetter.get(key)
    if (
      before !== undefined &&
      (before.partition !== deadLetter.record.partition || before.offset > deadLetter.record.offset)
    ) {
      findings.push({
        ...about,
        records: [before, deadLetter.record],
        summary: `dead letters of ${record.key} are out of order`
      })
    }
    lastDeadLetter.set(key, deadLetter.record)
  }
  return findings
}
