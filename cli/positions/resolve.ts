import { setTimeout as delay } from 'node:timers/promises'
import { parseDuration, plural } from '@orderly/command-line'
import { connectTopics, topicNames } from '@orderly/contracts'
import {
  type FetchedRecord,
  KafkaError,
  type OutputRecord,
  partitionKey,
  readRanges,
  setGroupOffsets
} from '@orderly/kafka'
import { acknowledgeIncidents, openIncidents } from '@orderly/positions'
import { type Command, type CommandContext, Failure, orderly } from '../command-line/command.ts'
import { byOption, operatorName } from '../command-line/operator.ts'
import { type Evidence, findEvidence, prepare } from './evidence.ts'
import { findGroup, type PositionGroup } from './groups.ts'
import { observeGroup } from './observe.ts'
import { type GroupPartition, stateOf } from './partition-state.ts'
import { answeredChanges, storedOutputs } from './stored-outputs.ts'

/**
 * Sets offsets of a group that Kafka has lost.
 *
 * The stored position is the offset up to which the effects of records are in the database. The
 * committed offset stored beside it is the offset up to which they were known to be committed in
 * Kafka. The records between the two were in flight:
 *
 * - A stage with repeatable effects rewinds to the first of them.
 * - An exactly-once stage rewinds to the first of them whose outputs and dead letters are not in
 *   the topics. It then finds its stored decisions and writes the same outputs, in the order of
 *   each key.
 *
 * The stage cannot read records that retention has removed. Their stored outputs that are missing
 * in the topics are written here, in the same transaction as the offsets. An interrupted run can be
 * repeated: it finds what was written.
 */
export const resolvePositions: Command = {
  name: 'positions resolve',
  summary: 'set the lost offsets of a group from the positions in the database: prints the plan; --apply executes it',
  argument: 'GROUP',
  examples: ['positions resolve orders-created', 'positions resolve orders-created --apply --wait 1m'],
  options: {
    apply: {
      type: 'boolean',
      description: 'write missing outputs and set the offsets; without it nothing is changed'
    },
    wait: {
      type: 'string',
      placeholder: 'DURATION',
      description: 'how long to wait until the group has no members (default 30s)'
    },
    by: byOption
  },
  async run(context) {
    const { argument, options, output } = context
    const group = findGroup(String(argument))
    const isApplied = options.flag('apply')
    const waitMs = parseDuration(options.text('wait'), 'wait', { maximumMs: 3_600_000, otherwiseMs: 30_000 })
    if (isApplied) await untilWithoutMembers(context, group, waitMs)
    const plan = await planFor(group, context)
    if (isApplied && plan.partitions.length > 0) await apply(group, plan, context)
    if (isApplied) await acknowledge(group, context)
    output.json({
      group: group.groupID,
      isApplied,
      outputs: plan.outputs.length,
      offsets: plan.partitions.map(({ topic, partition, stored, offset, isRead }) => ({
        ...{ topic, partition, offset, stored: stored.nextOffset },
        ...(!isRead && { removedByRetention: true })
      }))
    })
    if (plan.partitions.length === 0) {
      output.line(`Group ${group.groupID} has an offset in every partition with a stored position: nothing to do.`)
      return 0
    }
    output.table(
      [
        { title: 'TOPIC', value: ({ topic }) => topic },
        { title: 'PARTITION', value: ({ partition }) => partition, isNumber: true },
        { title: 'STORED', value: ({ stored }) => stored.nextOffset, isNumber: true },
        { title: isApplied ? 'SET TO' : 'WOULD BE SET TO', value: ({ offset }) => offset, isNumber: true },
        { title: 'READ AGAIN', value: ({ stored, offset }) => BigInt(stored.nextOffset) - offset, isNumber: true }
      ],
      plan.partitions
    )
    output.line()
    const written = plural(plan.outputs.length, 'output')
    if (isApplied) output.line(`${written} written, offsets set. Start the ${group.service} service.`)
    else
      output.line(
        `${written} would be written. Nothing was changed: ${orderly} positions resolve ${group.groupID} --apply`
      )
    return 0
  }
}

interface ResolvedPartition extends GroupPartition {
  readonly stored: NonNullable<GroupPartition['stored']>
  readonly log: NonNullable<GroupPartition['log']>
  /** Offset from which the stage will read. */
  readonly offset: bigint
  /** True if all records from there on are still in the log. */
  readonly isRead: boolean
}

interface Plan {
  readonly partitions: readonly ResolvedPartition[]
  readonly outputs: readonly OutputRecord[]
}

/** Maximum difference between the clocks of instances and of the database. */
const clockMarginMs = 60_000

/**
 * Plans the offsets of a group.
 * @throws Failure if the offsets would hide that the database has lost data
 */
async function planFor(group: PositionGroup, context: CommandContext): Promise<Plan> {
  const { connections } = context
  const partitions = await observeGroup(group, connections)
  const unread = partitions.filter(own => stateOf(own) === 'no leader').map(partitionKey)
  if (unread.length > 0) throw new Failure(`${unread.join(', ')} cannot be read at the moment: try again later.`)
  const behind = partitions.filter(own => stateOf(own) === 'database behind')
  if (behind.length > 0) {
    const names = behind.map(partitionKey).join(', ')
    throw new Failure(
      `The database is behind Kafka in ${names}, so its positions do not determine the offsets. ${orderly} reconcile rebuilds the inventory; the other services rewind when they start.`
    )
  }
  const missing = partitions.flatMap(own => {
    const { stored, log } = own
    if (stateOf(own) !== 'offsets missing' || stored === undefined || log === undefined) return []
    return [{ ...own, stored, log, committedOffset: BigInt(stored.committedOffset ?? 0) }]
  })
  const uncertain = missing.filter(({ stored, committedOffset }) => committedOffset < BigInt(stored.nextOffset))
  const evidence = group.isExactlyOnce && uncertain.length > 0 ? await evidenceOf(group, uncertain, context) : undefined
  const resolved = missing.map(own => {
    const { topic, partition, stored, log, committedOffset } = own
    const known = largest(committedOffset, evidence?.found.committedUpTo(topic, partition) ?? 0n)
    const removed = smallest(log.beginning, BigInt(stored.nextOffset))
    return { ...own, offset: largest(known, removed), isRead: known >= log.beginning || known >= removed }
  })
  const isGapped = resolved.some(({ isRead }) => !isRead)
  const outputs =
    group.service === 'inventory' && isGapped && evidence !== undefined
      ? await missingOutputs(resolved, evidence, context)
      : []
  return { partitions: resolved, outputs }
}

async function evidenceOf(
  group: PositionGroup,
  uncertain: readonly (Omit<ResolvedPartition, 'offset' | 'isRead'> & { readonly committedOffset: bigint })[],
  { connections, signal }: CommandContext
) {
  const topics = await connectTopics(connections.registry(), { ordersCreated: 'read', ordersChanges: 'read' })
  const times = uncertain.map(({ stored }) => (stored.uncommittedSince ?? stored.updatedAt).getTime())
  const sinceMs = Math.min(...times) - clockMarginMs
  const answered =
    group.service === 'inventory' ? await answeredChanges(connections.database(), sinceMs) : new Set<string>()
  const found: Evidence = await findEvidence({
    ...{ group, topics, sinceMs, answered, signal },
    connection: connections.kafka(),
    inspector: connections.inspector(),
    uncertain: uncertain.map(({ topic, partition, stored, log, committedOffset }) => ({
      ...{ topic, partition, from: largest(committedOffset, log.beginning), to: BigInt(stored.nextOffset) }
    }))
  })
  return { topics, sinceMs, found }
}

/** Returns the stored outputs of removed records that are missing in the outcome topics. */
async function missingOutputs(
  partitions: readonly ResolvedPartition[],
  { topics, sinceMs, found }: Awaited<ReturnType<typeof evidenceOf>>,
  { connections, signal }: CommandContext
): Promise<OutputRecord[]> {
  const written = await connectTopics(connections.registry(), {
    inventoryReserved: 'write',
    inventoryFailed: 'write',
    inventoryConfirmed: 'write',
    inventoryReleased: 'write'
  })
  const stored = await storedOutputs(connections.database(), written, sinceMs)
  const missing = stored.filter(({ eventID }) => !found.isPublished([eventID]) && !found.isReadable([eventID]))
  if (!missing.some(({ awaitsOrder }) => awaitsOrder)) return missing.map(({ record }) => record)
  // For orders that were cancelled before they were read, the stage writes the outcome when it
  // reads the order.
  const unread = partitions
    .filter(({ topic }) => topic === topicNames.ordersCreated)
    .map(({ topic, partition, stored, log }) => ({
      ...{ topic, partition, from: largest(BigInt(stored.nextOffset), log.beginning), to: log.end }
    }))
  const coming = new Set<string>()
  const { codec } = topics.ordersCreated
  const records: FetchedRecord[] = []
  await readRanges(connections.kafka(), unread, record => void records.push(record), signal)
  await prepare(topics.ordersCreated, records)
  for (const record of records.filter(({ hasValue }) => hasValue)) {
    try {
      coming.add(record.decode(codec).orderID)
    } catch {
      // The stage writes a dead letter for this undecodable record.
    }
  }
  return missing.filter(({ awaitsOrder, orderID }) => !awaitsOrder || !coming.has(orderID)).map(({ record }) => record)
}

async function apply(
  group: PositionGroup,
  { partitions, outputs }: Plan,
  { connections }: CommandContext
): Promise<void> {
  const offsets = partitions.map(({ topic, partition, stored, offset }) => ({
    ...{ topic, partition, offset, topicID: stored.topicID, leaderEpoch: stored.leaderEpoch }
  }))
  try {
    await setGroupOffsets(connections.kafka(), group.groupID, offsets, outputs)
  } catch (error) {
    if (error instanceof KafkaError && hasMembers.has(error.code)) throw membersFailure(group)
    throw error
  }
}

const hasMembers = new Set(['UNKNOWN_MEMBER_ID', 'ILLEGAL_GENERATION', 'REBALANCE_IN_PROGRESS'])

/**
 * Waits until a group has no members. A stage that refuses to start leaves immediately, but a
 * supervisor may restart it repeatedly.
 */
async function untilWithoutMembers(
  { connections, output, signal }: CommandContext,
  group: PositionGroup,
  waitMs: number
): Promise<void> {
  const deadlineMs = performance.now() + waitMs
  for (let isReported = false; ; isReported = true) {
    signal.throwIfAborted()
    const { members } = await connections.inspector().group(group.groupID)
    if (members.length === 0) return
    if (performance.now() > deadlineMs) throw membersFailure(group)
    if (!isReported) output.progress(`Waiting for group ${group.groupID} to have no members.`)
    await delay(200)
  }
}

function membersFailure({ groupID, service }: PositionGroup): Failure {
  return new Failure(
    `Group ${groupID} has members, so its offsets must not be changed: stop the ${service} service first.`
  )
}

async function acknowledge(
  { groupID, schema }: PositionGroup,
  { connections, options }: CommandContext
): Promise<void> {
  const pool = connections.database()
  const open = await openIncidents(pool, schema)
  const ids = open.filter(own => own.groupID === groupID && own.kind === 'offsets_missing').map(({ id }) => id)
  if (ids.length > 0) await acknowledgeIncidents(pool, schema, { ids, by: operatorName(options.text('by')) })
}

function largest(one: bigint, other: bigint): bigint {
  return one > other ? one : other
}

function smallest(one: bigint, other: bigint): bigint {
  return one < other ? one : other
}
