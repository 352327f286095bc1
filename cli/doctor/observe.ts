import { acceptanceTopic, brokerRetention, topicNames } from '@orderly/contracts'
import { deadLetterTopic, readDeadLetters } from '@orderly/kafka'
import { openIncidents } from '@orderly/positions'
import { type DatabaseFinding, inspectDatabase, PostgresError, requireSchema } from '@orderly/postgres'
import type { Pool } from 'pg'
import { databaseSchemas } from '../../deploy/postgres/schemas.ts'
import { reasonOf } from '../command-line/explain.ts'
import type { Connections } from '../connections/connections.ts'
import { readGroups } from '../lag/lag.ts'
import { incidentName, positionGroups } from '../positions/groups.ts'
import type { Facts } from './findings.ts'
import { askAlerts, askConnect } from './optional-servers.ts'

const dlqPatienceMs = 20_000
const registryPatienceMs = 5_000

/**
 * Observes all servers. If one does not answer, the failure is recorded and the others are still
 * observed.
 */
export async function observe(connections: Connections, signal: AbortSignal, transactionAgeMs: number): Promise<Facts> {
  const [kafka, databaseFacts, registryFailure, connect, alerts] = await Promise.all([
    attempt(() => observeKafka(connections, signal, transactionAgeMs)),
    attempt(() => observeDatabase(connections)),
    attempt(() => askRegistry(connections)),
    askConnect(connections),
    askAlerts(connections)
  ])
  return {
    nowMs: Date.now(),
    kafkaFailure: kafka.failure,
    bootstrapServers: kafka.result?.bootstrapServers ?? '',
    databaseFailure: databaseFacts.failure,
    registryFailure: registryFailure.failure,
    ...(kafka.result ?? {
      topics: [],
      brokers: new Map(),
      missingTopics: [],
      groups: [],
      transactions: [],
      deadLetters: []
    }),
    ...(databaseFacts.result ?? { databaseFindings: [], ...noTables }),
    connect,
    alerts
  }
}

/** Returns the result of an observation, or the reason of its failure. */
export async function attempt<Result>(
  look: () => Promise<Result>
): Promise<{ readonly result?: Result; readonly failure: string | undefined }> {
  try {
    return { result: await look(), failure: undefined }
  } catch (error) {
    return { failure: reasonOf(error) }
  }
}

async function observeKafka(connections: Connections, signal: AbortSignal, transactionAgeMs: number) {
  const inspector = connections.inspector()
  const described = (await inspector.topics()).filter(({ isInternal }) => !isInternal)
  const names = new Set(described.map(({ name }) => name))
  const places = described.flatMap(({ name, partitions }) =>
    partitions.filter(({ leaderID }) => leaderID >= 0).map(({ partition }) => ({ topic: name, partition }))
  )
  const deadLetterTopics = [...names].filter(name => name.endsWith(deadLetterTopic('')))
  const patience = AbortSignal.any([signal, AbortSignal.timeout(dlqPatienceMs)])
  const [configs, settings, groups, transactions, deadLetters] = await Promise.all([
    inspector.topicConfigs([...names]),
    attempt(() => inspector.brokerConfigs(Object.keys(brokerRetention))),
    readGroups(inspector, undefined),
    inspector.hangingTransactions(places, { afterMs: transactionAgeMs }),
    deadLetterTopics.length === 0 ? [] : readDeadLetters(connections.kafka(), deadLetterTopics, patience)
  ])
  const needed = [...Object.values(topicNames).flatMap(name => [name, deadLetterTopic(name)]), acceptanceTopic]
  return {
    bootstrapServers: connections.kafka().brokers.join(','),
    topics: described.map(topic => {
      const own = [...(configs.get(topic.name)?.values() ?? [])]
      return { ...topic, configs: new Map(own.map(({ name, value }) => [name, value])) }
    }),
    brokers: settings.result ?? new Map((await inspector.quorum()).brokerIDs.map(id => [id, new Map()])),
    settingsFailure: settings.failure,
    missingTopics: needed.filter(name => !names.has(name)),
    groups,
    transactions,
    deadLetters
  }
}

const noMovements = { count: 0, oldestMs: undefined }
const noTables = { targets: [], failing: [], exhausted: 0, unpublished: noMovements, incidents: [] }

async function observeDatabase(connections: Connections) {
  const databaseFindings = await inspectDatabase(connections.databaseURL())
  const pool = connections.database()
  try {
    databaseFindings.push(...(await outdatedSchemas(pool)))
    return { databaseFindings, ...(await observeTables(pool)) }
  } catch (error) {
    // A refused session is already a finding.
    if (error instanceof PostgresError) return { databaseFindings, ...noTables }
    throw error
  }
}

async function outdatedSchemas(pool: Pool): Promise<DatabaseFinding[]> {
  const logger = { info: () => {}, warn: () => {} }
  const found: DatabaseFinding[] = []
  for (const schema of databaseSchemas) {
    await requireSchema(pool, schema, { mayMigrate: false, logger }).catch(error => {
      if (error.code !== 'SCHEMA_OUTDATED') throw error
      const [, what = error.message, todo = ''] = /^(.*\)): (.*)$/s.exec(error.message) ?? []
      found.push({ severity: 'problem', what, todo })
    })
  }
  return found
}

async function observeTables(pool: Pool) {
  const { rows } = await pool.query(
    `SELECT to_regclass('notification.targets') IS NOT NULL AS has_tables,
      to_regclass('inventory.stock_movements') IS NOT NULL AS has_movements`
  )
  const unpublished = rows[0]?.has_movements === true ? await unpublishedMovements(pool) : noMovements
  const incidents = await unacknowledgedIncidents(pool)
  if (rows[0]?.has_tables !== true) return { ...noTables, unpublished, incidents }
  const [targets, failing, exhausted] = await Promise.all([
    pool.query(`SELECT target, reason, endpoints.name, endpoints.caller, (
        SELECT count(*) FROM notification.deliveries WHERE deliveries.target = targets.target AND finished_at IS NULL
      ) AS waiting
      FROM notification.targets LEFT JOIN notification.endpoints USING (target)
      WHERE targets.disabled_at IS NOT NULL AND ${isInUse} ORDER BY target`),
    pool.query(failingTargets),
    pool.query(`SELECT count(*) AS count FROM notification.deliveries
      WHERE status = 'exhausted' AND finished_at > now() - interval '1 day'`)
  ])
  const failures = failing.rows.map(({ since, ...row }) => ({ ...row, sinceMs: since.getTime() }))
  return { targets: targets.rows, failing: failures, exhausted: exhausted.rows[0]?.count ?? 0, unpublished, incidents }
}

/**
 * SQL condition for targets in use. Instances record their targets every minute. A target counts as
 * removed if it is no longer recorded while others are.
 */
const isInUse = "targets.seen_at >= (SELECT max(seen_at) FROM notification.targets) - interval '5 minutes'"

const failingTargets = `SELECT target, count(*) AS deliveries, min(accepted_at) AS since,
    mode() WITHIN GROUP (ORDER BY deliveries.code) AS code
  FROM notification.targets JOIN notification.deliveries USING (target)
  WHERE ${isInUse} AND disabled_at IS NULL AND finished_at IS NULL AND attempts > 0
    AND NOT EXISTS (
      SELECT FROM notification.deliveries AS sent
      WHERE sent.target = targets.target AND sent.status = 'sent' AND sent.accepted_at > now() - interval '1 hour'
    )
  GROUP BY target ORDER BY target`

async function unacknowledgedIncidents(pool: Pool): Promise<Facts['incidents']> {
  const found: Facts['incidents'][number][] = []
  for (const group of positionGroups) {
    const own = await openIncidents(pool, group.schema)
    found.push(...own.map(incident => ({ ...incident, name: incidentName(group, incident) })))
  }
  return found
}

async function unpublishedMovements(pool: Pool): Promise<Facts['unpublished']> {
  const { rows } = await pool.query(
    'SELECT count(*) AS count, min(moved_at) AS oldest FROM inventory.stock_movements WHERE NOT published'
  )
  return { count: rows[0].count, oldestMs: rows[0].oldest?.getTime() }
}

async function askRegistry(connections: Connections): Promise<void> {
  const { url, username, password } = connections.registryAddress()
  const credentials = Buffer.from(`${username}:${password}`).toString('base64')
  const headers: Record<string, string> = username === undefined ? {} : { authorization: `Basic ${credentials}` }
  const answer = await fetch(`${url}/subjects`, { headers, signal: AbortSignal.timeout(registryPatienceMs) }).catch(
    error => {
      const cause = error.cause instanceof Error ? error.cause.message : error.message
      throw Object.assign(new Error(`${url}: ${cause}`), { code: 'REGISTRY_UNAVAILABLE' })
    }
  )
  if (!answer.ok) throw Object.assign(new Error(`${url} answered ${answer.status}`), { code: 'REGISTRY_REFUSED' })
}
