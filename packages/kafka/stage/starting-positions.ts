import type { FailedPartition } from '../cluster/ask-leaders.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { confirmTopicID } from '../cluster/confirm-topic-id.ts'
import type { EpochEnd } from '../cluster/epoch-ends.ts'
import { epochEnds } from '../cluster/epoch-ends.ts'
import { findOffsets, offsetAt } from '../cluster/list-offsets.ts'
import { type CommittedOffset, committedOffsets, lastCommittedOffsets } from '../consumer-group/committed-offsets.ts'
import { KafkaError, toKafkaError } from '../errors.ts'
import { type GroupIdentity, partitionKey, type TopicPartition } from '../types.ts'
import { lostPositions } from './lost-positions.ts'
import type { Incident, PositionChange, PositionStore, StoredPosition } from './position-store.ts'
import { isAdded, policyFor, type StartAt } from './start-at.ts'

/** Facts from which a stage decides the starting position of a partition. */
export interface PartitionFacts extends TopicPartition {
  readonly topicID: string
  readonly committed: CommittedOffset | undefined
  /** Topic id by which this process knew the topic before. */
  readonly formerTopicID: string | undefined
  /**
   * First offset of the log, and the offset after its last record; undefined while the partition
   * has no leader.
   */
  readonly log: { readonly beginning: bigint; readonly end: bigint } | undefined
  /**
   * End of the log in the epoch of the reference position; undefined if the leader does not know
   * that epoch.
   */
  readonly epochEnd: EpochEnd | undefined
  /** Stored state; undefined without a PositionStore. */
  readonly store: PartitionStore | undefined
  /** Start of a partition in which the group has processed nothing; default `earliest`. */
  readonly startAt?: StartAt
}

interface PartitionStore {
  readonly whenBehind: PositionStore['whenBehind']
  readonly stored: StoredPosition | undefined
  /**
   * True if the group has stored positions exactly in partitions with lower numbers, so this one
   * was added to the topic.
   */
  readonly isAdded: boolean
}

export interface Start extends TopicPartition {
  readonly topicID: string
  readonly offset: bigint
  readonly leaderEpoch: number
  /** Committed offset that is already saved in the store. */
  readonly savedCommitted?: bigint | undefined
  /** True if the offset must be committed before reading, because Kafka has none or another one. */
  readonly mustCommit?: boolean
  /** Position to store before that commit. */
  readonly change?: PositionChange
  readonly incident?: Incident
  /** Reason why the stage must not start. */
  readonly refusal?: 'OFFSETS_MISSING' | 'DATABASE_BEHIND' | 'NO_COMMITTED_OFFSET'
}

const unknownEpoch = -1

interface Position {
  readonly offset: bigint
  readonly leaderEpoch: number
}

/**
 * Returns the highest known position. The leader is queried for its epoch: if that position is in
 * the log, the lower ones are too.
 */
export function referenceOf({ topicID, committed, store }: Omit<PartitionFacts, 'epochEnd'>): Position | undefined {
  const known = [committed, store?.stored].filter(own => own !== undefined && (own.topicID ?? topicID) === topicID)
  return known.reduce<Position | undefined>(
    (farthest, own) => (farthest === undefined || (own as Position).offset > farthest.offset ? own : farthest),
    undefined
  )
}

/**
 * Decides the starting position of a partition, after an assignment and after every interruption.
 *
 * A stage resumes at the committed offset if that still belongs to the log. Two conditions must
 * hold: the topic has the id that was committed with the offset, and the log reached the offset in
 * the committed leader epoch or an earlier one (KIP-320). A recreated topic is read from its
 * beginning. A log whose tail was lost is read from the offset where it diverged: earlier records
 * were processed, and later ones are new, however far the log has grown meanwhile.
 *
 * With a PositionStore, the stored position is compared too (position-store.ts). It is read after
 * the committed offset, because both grow and the stored one must never be smaller.
 */
export function startOf(facts: PartitionFacts): Start {
  const { topic, partition, topicID, store } = facts
  const truncation = truncationOf(facts)
  const cut = <Known extends Position>(known: Known): Known =>
    truncation === undefined || known.offset <= truncation.offset ? known : { ...known, ...truncation }
  const committed =
    facts.committed === undefined || (facts.committed.topicID ?? topicID) !== topicID ? undefined : cut(facts.committed)
  const own = store?.stored?.topicID === topicID ? store.stored : undefined
  const stored = own && { ...cut(own), committedOffset: least(own.committedOffset, truncation?.offset) }

  const identity = { topic, partition, topicID }
  const formerID = [facts.committed?.topicID, store?.stored?.topicID, facts.formerTopicID].find(
    id => id !== undefined && id !== topicID
  )
  const incident = (kind: Incident['kind'], more: Partial<Incident> = {}) => ({
    incident: { kind, ...identity, ...more }
  })
  const startAt = ({ offset, leaderEpoch }: Position) => ({ ...identity, offset, leaderEpoch })
  /** Stores and commits the position, replacing whatever is stored and committed. */
  const establish = (position: Position, committedOffset: bigint | undefined): Start => ({
    ...startAt(position),
    mustCommit: true,
    ...(store && {
      change: { former: store.stored, position: { ...startAt(position), committedOffset } },
      savedCommitted: committedOffset
    })
  })
  const behind = (position: Position, committed: Position): Start => {
    const range = { fromOffset: position.offset, toOffset: committed.offset }
    const found = incident('database_behind', range)
    if (store?.whenBehind === 'stop') return { ...startAt(position), ...found, refusal: 'DATABASE_BEHIND' }
    return { ...establish(position, position.offset), ...found }
  }
  const recreated = formerID === undefined ? {} : incident('topic_recreated', { detail: `it had the id ${formerID}` })

  if (committed === undefined) {
    if (stored === undefined) {
      const added = store?.isAdded === true ? incident('partitions_added') : {}
      const policy = formerID === undefined && store?.isAdded !== true ? facts.startAt : 'earliest'
      if (policy === 'none')
        return { ...startAt({ offset: 0n, leaderEpoch: unknownEpoch }), refusal: 'NO_COMMITTED_OFFSET' }
      return {
        ...establish(policy === 'latest' ? endOf(facts) : beginningOf(facts), undefined),
        ...added,
        ...recreated,
        mustCommit: store !== undefined || formerID !== undefined || policy === 'latest'
      }
    }
    // Stored when the partition was new and never committed: nothing was processed.
    if (stored.committedOffset === undefined) return establish(stored, undefined)
    const range = { fromOffset: stored.committedOffset, toOffset: stored.offset }
    return { ...startAt(stored), ...incident('offsets_missing', range), refusal: 'OFFSETS_MISSING' }
  }
  const truncated =
    truncation === undefined
      ? undefined
      : incident('log_truncated', { fromOffset: truncation.from, toOffset: truncation.offset })
  if (store === undefined) {
    return truncated === undefined ? startAt(committed) : { ...startAt(committed), ...truncated, mustCommit: true }
  }
  if (stored === undefined) {
    // An external tool committed the offset, before the first start or after the topic was
    // recreated.
    if (committed.topicID === undefined) return { ...establish(committed, undefined), ...recreated, ...truncated }
    const beginning = beginningOf(facts)
    if (committed.offset <= beginning.offset) return establish(committed, undefined)
    return behind(beginning, committed)
  }
  if (committed.offset > stored.offset) return behind(stored, committed)
  if (
    stored.committedOffset !== undefined &&
    committed.offset < stored.committedOffset &&
    store.whenBehind === 'stop'
  ) {
    const range = { fromOffset: committed.offset, toOffset: stored.committedOffset }
    return { ...startAt(committed), ...incident('offsets_missing', range), refusal: 'OFFSETS_MISSING' }
  }
  if (truncated === undefined) return { ...startAt(committed), savedCommitted: stored.committedOffset }
  const change = { former: store.stored, position: { ...identity, ...stored } }
  return { ...startAt(committed), ...truncated, change, mustCommit: true, savedCommitted: stored.committedOffset }
}

/**
 * Returns the position where the log diverges from the records that were read, or undefined if it
 * does not.
 */
function truncationOf(facts: PartitionFacts): (Position & { readonly from: bigint }) | undefined {
  const reference = referenceOf(facts)
  if (reference === undefined || facts.log === undefined) return undefined
  const known = reference.leaderEpoch === unknownEpoch ? undefined : facts.epochEnd
  const offset = known?.endOffset ?? facts.log.end
  if (reference.offset <= offset) return undefined
  return { offset, leaderEpoch: known?.leaderEpoch ?? unknownEpoch, from: reference.offset }
}

function beginningOf(facts: PartitionFacts): Position {
  return { offset: logOf(facts).beginning, leaderEpoch: unknownEpoch }
}

function endOf(facts: PartitionFacts): Position {
  return { offset: logOf(facts).end, leaderEpoch: unknownEpoch }
}

function logOf({ topic, partition, log }: PartitionFacts): NonNullable<PartitionFacts['log']> {
  if (log !== undefined) return log
  const message = `${topic}/${partition} has no leader`
  throw new KafkaError('LEADER_NOT_AVAILABLE', message, { retryable: true })
}

function least(offset: bigint | undefined, limit: bigint | undefined): bigint | undefined {
  return offset === undefined || limit === undefined || offset <= limit ? offset : limit
}

export interface StartOptions {
  readonly formerTopicIDs: ReadonlyMap<string, string>
  readonly store: PositionStore | undefined
  readonly startAt: StartAt
  /** Topics in which the group had no offset when its partitions were assigned. */
  readonly newTopics: readonly string[]
  readonly signal: AbortSignal
}

export interface Starts {
  readonly starts: readonly Start[]
  /** Partitions whose starting position cannot be decided yet, with the reason. */
  readonly failed: readonly FailedPartition[]
}

/**
 * Decides the starting position of each partition; a failure affects only its own partition.
 * @throws KafkaError when the group or the cluster cannot be queried, errors of the store, or the
 * signal's reason
 */
export async function startingPositions(
  cluster: Cluster,
  group: GroupIdentity,
  partitions: readonly TopicPartition[],
  { formerTopicIDs, store, startAt, newTopics, signal }: StartOptions
): Promise<Starts> {
  const offsets = await committedOffsets(cluster, group, partitions, { signal })
  const committed = byPartition(offsets.found)
  const failed = byPartition<FailedPartition>(offsets.failed)
  const fail = (own: TopicPartition, thrown: unknown) => {
    const error = toKafkaError(thrown, `deciding the starting position of ${partitionKey(own)}`)
    failed.set(partitionKey(own), { topic: own.topic, partition: own.partition, error })
  }
  const isGroupNeeded = store?.whenBehind === 'stop' || startAt === 'none'
  const ofGroup = isGroupNeeded ? await lastCommittedOffsets(cluster, group.groupID) : []
  const stored = (await store?.load()) ?? []
  const storedByPartition = byPartition(stored)
  await cluster.refresh() // cached topic ids and leader epochs may be outdated
  const known = []
  for (const own of partitions.filter(own => !failed.has(partitionKey(own)))) {
    const leader = (await cluster.partitions(own.topic).catch(error => fail(own, error)))?.[own.partition]
    if (leader === undefined) {
      if (!failed.has(partitionKey(own))) fail(own, notThere(own))
      continue
    }
    known.push({
      ...own,
      topicID: leader.topicID,
      hasLeader: leader.leaderID >= 0,
      committed: committed.get(partitionKey(own)),
      formerTopicID: formerTopicIDs.get(own.topic),
      startAt: policyFor(own, startAt, newTopics, ofGroup),
      store: store && {
        whenBehind: store.whenBehind,
        stored: storedByPartition.get(partitionKey(own)),
        isAdded: isAdded(own, stored)
      }
    })
  }
  // A log that cannot be queried must not delay the others: its first fetch compares it with the
  // position.
  const led = known.filter(({ hasLeader }) => hasLeader)
  const questions = led.flatMap(own => {
    const reference = referenceOf({ ...own, log: undefined })
    if (reference === undefined || reference.leaderEpoch === unknownEpoch) return []
    return [{ topic: own.topic, partition: own.partition, leaderEpoch: reference.leaderEpoch }]
  })
  const [beginnings, ends, epochs] = await Promise.all([
    findOffsets(cluster, led, offsetAt.beginning),
    findOffsets(cluster, led, offsetAt.end),
    epochEnds(cluster, questions)
  ])
  const [beginningOf, endOf] = [byPartition(beginnings.found), byPartition(ends.found)]
  const unasked = byPartition(epochs.failed)
  const log = (own: TopicPartition) => {
    const [beginning, end] = [beginningOf.get(partitionKey(own))?.offset, endOf.get(partitionKey(own))?.offset]
    return beginning === undefined || end === undefined || unasked.has(partitionKey(own))
      ? undefined
      : { beginning, end }
  }
  const starts: Start[] = []
  for (const own of known) {
    try {
      starts.push(startOf({ ...own, log: log(own), epochEnd: epochs.answers.get(partitionKey(own)) }))
    } catch (error) {
      fail(own, error)
    }
  }
  const decided = new Set(starts.map(partitionKey))
  const lost = store?.whenBehind === 'stop' ? lostPositions(ofGroup, stored) : []
  starts.push(...lost.flatMap(lost => (decided.has(partitionKey(lost)) ? [] : refusalFor(lost))))
  const recreated = starts.filter(({ incident }) => incident?.kind === 'topic_recreated')
  for (const [topic, topicID] of new Map(recreated.map(own => [own.topic, own.topicID])))
    await confirmTopicID(cluster, topic, topicID)
  return { starts, failed: [...failed.values()] }
}

/**
 * Returns a refusal for a partition that was not decided here, such as one of another instance.
 * Decisions of this stage may depend on the effects that were lost there.
 */
function refusalFor(incident: ReturnType<typeof lostPositions>[number]): Start {
  const { topic, partition, topicID = '', fromOffset = 0n } = incident
  const position = { topic, partition, topicID, offset: fromOffset, leaderEpoch: unknownEpoch }
  return { ...position, incident, refusal: 'DATABASE_BEHIND' }
}

function byPartition<Known extends TopicPartition>(known: readonly Known[]): Map<string, Known> {
  return new Map(known.map(own => [partitionKey(own), own]))
}

function notThere({ topic, partition }: TopicPartition): KafkaError {
  return new KafkaError('UNKNOWN_TOPIC_OR_PARTITION', `${topic} has no partition ${partition}`, { retryable: true })
}
