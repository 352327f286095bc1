import { formatDuration, plural } from '@orderly/command-line'
import { ephemeralGroupPrefixes, topicNames } from '@orderly/contracts'
import { type DeadLetterKey, type HangingTransaction, partitionKey } from '@orderly/kafka'
import type { DatabaseFinding } from '@orderly/postgres'
import { orderly } from '../command-line/command.ts'
import { type Finding, problem } from './finding.ts'
import { type FoundIncident, incidentFindings } from './incident-findings.ts'
import { alertFindings, connectFindings, type OptionalFacts } from './optional-findings.ts'
import { continueReader, serviceOf, startReader } from './readers.ts'
import { configFindings, type RetentionFacts, unreadFindings } from './retention-findings.ts'

/**
 * Observations of the doctor. A part that could not be observed is undefined, and a finding says
 * why.
 */
export interface Facts extends RetentionFacts, OptionalFacts {
  /** Reason why the server does not answer; undefined if it does. */
  readonly kafkaFailure: string | undefined
  /** Addresses of the brokers as Kafka's own tools take them. */
  readonly bootstrapServers: string
  readonly databaseFailure: string | undefined
  readonly registryFailure: string | undefined
  /** Settings, standbys, poolers and schemas of the database. */
  readonly databaseFindings: readonly DatabaseFinding[]
  /** Required topics that do not exist. */
  readonly missingTopics: readonly string[]
  readonly transactions: readonly HangingTransaction[]
  readonly deadLetters: readonly DeadLetterKey[]
  readonly targets: readonly DisabledTarget[]
  /** Targets that have accepted nothing in the last hour and whose deliveries fail. */
  readonly failing: readonly FailingTarget[]
  readonly exhausted: number
  /** Stock movements that are not in their topic, and the time of the oldest. */
  readonly unpublished: { readonly count: number; readonly oldestMs: number | undefined }
  /** Incidents that are not acknowledged. */
  readonly incidents: readonly FoundIncident[]
}

export interface DisabledTarget {
  readonly target: string
  readonly reason: string | null
  readonly waiting: number
  /** Name and caller of an endpoint in the database; null for an endpoint of the settings. */
  readonly name: string | null
  readonly caller: string | null
}

export interface FailingTarget {
  readonly target: string
  readonly deliveries: number
  /** Time when the oldest of them was accepted. */
  readonly sinceMs: number
  /** Most frequent failure code. */
  readonly code: string | null
}

export interface Thresholds {
  /** Time after which a partition with a pending record counts as stuck. */
  readonly waitingMs: number
}

export function diagnose(facts: Facts, thresholds: Thresholds): Finding[] {
  return [
    ...servers(facts),
    ...facts.databaseFindings.map(finding => ({ about: 'postgres', ...finding })),
    ...topicFindings(facts),
    ...configFindings(facts),
    ...unreadFindings(facts),
    ...facts.transactions.map(transaction => transactionFinding(transaction, facts)),
    ...groupFindings(facts, thresholds),
    ...deadLetterFindings(facts),
    ...notificationFindings(facts),
    ...movementFindings(facts),
    ...incidentFindings(facts),
    ...connectFindings(facts),
    ...alertFindings(facts)
  ].toSorted((a, b) => Number(a.severity === 'hint') - Number(b.severity === 'hint'))
}

function servers({ kafkaFailure, databaseFailure, registryFailure }: Facts): Finding[] {
  const found: Finding[] = []
  if (kafkaFailure !== undefined) {
    const todo =
      'start the brokers (locally npm start), or set KAFKA_BROKERS to their addresses and KAFKA_SASL_… and KAFKA_TLS_… to what they require'
    found.push(problem('kafka', `does not answer: ${kafkaFailure}`, todo))
  }
  if (databaseFailure !== undefined) {
    const todo = 'start it (locally npm start), or set DATABASE_URL to its address, with user and password'
    found.push(problem('postgres', `does not answer: ${databaseFailure}`, todo))
  }
  if (registryFailure !== undefined) {
    const todo =
      'start it (locally npm start), or set SCHEMA_REGISTRY_URL to its address: without it, services cannot start and new schemas cannot be read'
    found.push(problem('schema registry', `does not answer: ${registryFailure}`, todo))
  }
  return found
}

function topicFindings({ topics, missingTopics }: Facts): Finding[] {
  const found = missingTopics.map(name =>
    problem(
      name,
      'is missing',
      'create it with as many partitions as the others (npm start does, and deploy/setup/topics.ts), then restart the services'
    )
  )
  for (const { name, partitions } of topics) {
    const leaderless = partitions.filter(({ leaderID }) => leaderID < 0).map(({ partition }) => partition)
    if (leaderless.length > 0) {
      const what = `${plural(leaderless.length, 'partition')} without a leader (${leaderless.join(', ')})`
      found.push(
        problem(
          name,
          what,
          'restore the brokers that hold it (docs/runbooks/OrderlyBrokerDown.md): until then, nothing can be read or written there'
        )
      )
    }
    const behind = partitions.filter(({ replicaIDs, inSyncReplicaIDs }) => inSyncReplicaIDs.length < replicaIDs.length)
    if (behind.length > 0) {
      const what = `${plural(behind.length, 'partition')} with replicas that are out of sync`
      found.push(
        problem(
          name,
          what,
          'restart the broker that is down or slow (docs/runbooks/OrderlyBrokerDown.md): one more failure may stop the writers'
        )
      )
    }
  }
  return found
}

function transactionFinding(transaction: HangingTransaction, { nowMs, bootstrapServers }: Facts): Finding {
  const { kind, transactionalID, producerID, epoch, sinceMs, timeoutMs, partitions } = transaction
  const names = partitions.map(partitionKey).join(', ')
  const age = formatDuration(nowMs - sinceMs)
  if (kind === 'forgotten') {
    const what = `a transaction of producer ${producerID} has blocked ${names} for ${age}, and no coordinator knows it`
    const aborts = partitions.map(({ topic, partition, firstOffset }) => {
      const where = `--topic ${topic} --partition ${partition} --start-offset ${firstOffset}`
      return `kafka-transactions.sh --bootstrap-server ${bootstrapServers} abort ${where}`
    })
    const how = `abort it with Kafka's tool (docs/runbooks/OrderlyHangingTransaction.md), epoch ${epoch}`
    return problem('transactions', what, `${how}: ${aborts.join('; ')}`)
  }
  const what = `the transaction of ${transactionalID} has been open for ${age} and blocks ${names}`
  const limit = timeoutMs === undefined ? '' : ` (after ${formatDuration(timeoutMs)})`
  const todo =
    kind === 'overdue'
      ? 'its timeout has passed and its coordinator has not aborted it: restart that broker (docs/runbooks/OrderlyHangingTransaction.md)'
      : `restart that instance if it hangs: the coordinator then aborts the transaction${limit}`
  return problem('transactions', what, todo)
}

function groupFindings({ groups, nowMs }: Facts, { waitingMs }: Thresholds): Finding[] {
  const found: Finding[] = []
  for (const { groupID, state, members, lag } of groups) {
    if (ephemeralGroupPrefixes.some(beginning => groupID.startsWith(beginning))) continue
    const behind = lag.filter(({ lagRecords }) => lagRecords > 0)
    const waiting = behind.reduce((sum, { lagRecords }) => sum + lagRecords, 0)
    if (members.length === 0) {
      const what = `has no members${waiting > 0 ? `, and ${plural(waiting, 'pending record')}` : ''}`
      found.push({
        severity: waiting > 0 || serviceOf(groupID) !== undefined ? 'problem' : 'hint',
        about: `group ${groupID}`,
        what,
        todo: startReader(groupID)
      })
      continue
    }
    if (state !== 'Stable') {
      const what = `is ${state}: a rebalance is in progress`
      found.push({
        severity: 'hint',
        about: `group ${groupID}`,
        what,
        todo: `check again; if it persists, restart the instance that does not answer (${orderly} lag ${groupID} lists them)`
      })
    }
    for (const own of behind) {
      const { topic, partition, waitingSinceMs, member, stableOffset, endOffset, committedOffset } = own
      const ageMs = waitingSinceMs === undefined ? 0 : nowMs - waitingSinceMs
      if (ageMs < waitingMs) continue
      const isHeld = (committedOffset ?? 0n) >= stableOffset && stableOffset < endOffset
      const who = member?.instanceID ?? member?.clientID ?? ''
      const todo = isHeld
        ? `an open transaction blocks it: end it as the finding about transactions says; ${orderly} doctor --transaction 0 lists all`
        : member === undefined
          ? 'no member reads this partition: start another instance of its service, unless a rebalance is in progress'
          : continueReader(groupID, who)
      const what = `${topic}/${partition} has not advanced for ${formatDuration(ageMs)}: ${plural(own.lagRecords, 'pending record')}`
      found.push(problem(`group ${groupID}`, what, todo))
    }
  }
  return found
}

function deadLetterFindings({ deadLetters, nowMs }: Facts): Finding[] {
  const found: Finding[] = []
  for (const [topic, keys] of Map.groupBy(deadLetters, ({ topic }) => topic)) {
    const waiting = keys.flatMap(key => key.deadLetters)
    if (waiting.length > 0) {
      const oldestMs = Math.min(...waiting.map(({ timestampMs }) => timestampMs))
      const codes = [...new Set(waiting.map(({ code }) => code))].filter(code => code !== 'KEY_BLOCKED')
      const count = keys.filter(key => key.deadLetters.length > 0).length
      const what = `${plural(waiting.length, 'pending dead letter')} of ${plural(count, 'key')} (${codes.join(', ') || 'followers'}), the oldest from ${formatDuration(nowMs - oldestMs)} ago`
      const show = `${orderly} dlq show --topic ${topic}`
      if (waiting.every(({ isCopy }) => isCopy)) {
        const todo = `${show}; they are copies from Kafka Connect and block nothing: ${orderly} dlq drop --topic ${topic} drops them`
        found.push({ severity: 'hint', about: topic, what, todo })
      } else {
        found.push(
          problem(
            topic,
            what,
            `${show}; fix the cause, then ${orderly} dlq replay --topic ${topic}, or drop them with ${orderly} dlq drop --topic ${topic}`
          )
        )
      }
    }
    const interrupted = keys.filter(({ inFlight }) => inFlight?.isOpen === true).length
    if (interrupted > 0) {
      found.push(
        problem(
          topic,
          `a replay was interrupted (${plural(interrupted, 'key')})`,
          `${orderly} dlq replay --topic ${topic}`
        )
      )
    }
    const awaited = keys.filter(({ inFlight }) => inFlight?.isOpen === false)
    if (awaited.length > 0) {
      const stages = [...new Set(awaited.map(({ stage }) => stage))].join(', ')
      const what = `${plural(awaited.length, 'key')} replayed, and the stage has not answered`
      found.push({
        severity: 'hint',
        about: topic,
        what,
        todo: `start the service with ${stages} if it does not run, and wait until it has no lag (${orderly} lag)`
      })
    }
  }
  return found
}

/**
 * Age from which unpublished movements are reported. Publishing takes a second; unpublished
 * movements would be lost with their database.
 */
const movementPatienceMs = 5 * 60_000

function movementFindings({ unpublished: { count, oldestMs }, nowMs }: Facts): Finding[] {
  if (oldestMs === undefined || nowMs - oldestMs < movementPatienceMs) return []
  const what = `${plural(count, 'movement')} not published for ${formatDuration(nowMs - oldestMs)}`
  return [
    problem(
      topicNames.stockMovements,
      what,
      'start the inventory (npm run service -- inventory), or fix the reason that its log shows'
    )
  ]
}

/** Age from which a failing delivery is reported. The first retries follow within seconds. */
const failingPatienceMs = 60_000

function notificationFindings({ targets, failing, exhausted, nowMs }: Facts): Finding[] {
  const found = targets.map(({ target, reason, waiting, name, caller }) => {
    const what = `is disabled (${reason ?? 'it answered 410'})${waiting > 0 ? `; ${waiting} pending` : ''}`
    const endpoint = `${name}${caller === null ? '' : ` --caller ${caller}`}`
    const todo =
      name === null
        ? 'set an address that works in the settings of the notification service (WEBHOOK_URLS) and restart it, which enables the target again; a target that is removed there disappears here after 5 minutes'
        : `set an address that works, which enables it again (${orderly} endpoints set ${endpoint} --url URL), or remove it: ${orderly} endpoints remove ${endpoint}`
    return problem(target, what, todo)
  })
  for (const { target, deliveries, sinceMs, code } of failing) {
    if (nowMs - sinceMs < failingPatienceMs) continue
    const what = `has accepted nothing in the last hour, and ${plural(deliveries, 'delivery', 'deliveries')} fail${deliveries === 1 ? 's' : ''} (${code ?? 'no code'}), the oldest from ${formatDuration(nowMs - sinceMs)} ago`
    const todo =
      'fix the target: docs/guides/notifications.md explains the code, and the log of the notification service has the details; deliveries are retried until they are exhausted'
    found.push(problem(target, what, todo))
  }
  if (exhausted === 0) return found
  const todo = `${orderly} dlq list --topic notifications; fix the target, then ${orderly} dlq replay --topic notifications; this line disappears a day after the last one`
  return [
    ...found,
    {
      severity: 'hint',
      about: 'notifications',
      what: `${plural(exhausted, 'delivery', 'deliveries')} exhausted in the last day`,
      todo
    }
  ]
}
