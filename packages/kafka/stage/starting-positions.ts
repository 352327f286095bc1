import { type FailedPlace, placeKey } from '../cluster/ask-leaders.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { confirmTopicID } from '../cluster/confirm-topic-id.ts'
import { epochEnds } from '../cluster/epoch-ends.ts'
import { findOffsets, offsetAt } from '../cluster/list-offsets.ts'
import type { EpochEnd } from '../committed-read/fetch-committed.ts'
import { KafkaError, toKafkaError } from '../errors.ts'
import type { TopicPartition } from '../group/assignment.ts'
import { type CommittedOffset, committedOffsets, lastCommittedOffsets } from '../group/committed-offsets.ts'
import type { GroupIdentity } from '../transaction/transactional-producer.ts'
import { lostPositions } from './lost-positions.ts'
import type { Incident, PositionChange, PositionStore, StoredPosition } from './position-store.ts'

/**
 * Decides where a stage starts to read its partitions: when they are assigned, and after everything that interrupts it.
 *
 * A stage resumes at the committed offset, if that still belongs to the log: the topic has the id that was committed with the offset, and
 * the log was written up to the offset in the leader epoch that was committed with it, or in an earlier one (KIP-320). A topic that was
 * created again is read from its beginning. A log whose tail was lost is read from the offset where it diverged: what lies before was
 * processed, and what lies behind is new, however far the log has grown meanwhile.
 *
 * With a PositionStore the stored position is compared as well (position-store.ts). It is read after the committed offset, since both
 * grow and the stored one is never the smaller.
 */
export interface PartitionFacts extends TopicPartition {
  readonly topicID: string
  readonly committed: CommittedOffset | undefined
  /** The id by which this process knew the topic before. */
  readonly formerTopicID: string | undefined
  /** First offset and offset behind the last record; undefined while the partition has no leader. */
  readonly log: { readonly beginning: bigint; readonly end: bigint } | undefined
  /** Up to where the log was written in the epoch of the reference position; undefined when the leader knows no such epoch. */
  readonly epochEnd: EpochEnd | undefined
  /** Undefined without a PositionStore. */
  readonly store: PartitionStore | undefined
}

interface PartitionStore {
  readonly whenBehind: PositionStore['whenBehind']
  readonly stored: StoredPosition | undefined
  /** The group has stored positions in just the partitions with lower numbers: this one was added to the topic. */
  readonly isAdded: boolean
}

export interface Start extends TopicPartition {
  readonly topicID: string
  readonly offset: bigint
  readonly leaderEpoch: number
  /** The committed offset that is stored already. */
  readonly savedCommitted?: bigint | undefined
  /** The offset has to be committed before anything is read: Kafka has none, or another one. */
  readonly mustCommit?: boolean
  /** What has to be stored before that. */
  readonly change?: PositionChange
  readonly incident?: Incident
  /** The stage must not start. */
  readonly refusal?: 'OFFSETS_MISSING' | 'DATABASE_BEHIND'
}

const unknownEpoch = -1

interface Position {
  readonly offset: bigint
  readonly leaderEpoch: number
}

/** The farthest position that is known, whose epoch the leader is asked for: if that one is in the log, the others are. */
export function referenceOf({ topicID, committed, store }: Omit<PartitionFacts, 'epochEnd'>): Position | undefined {
  const known = [committed, store?.stored].filter(own => own !== undefined && (own.topicID ?? topicID) === topicID)
  return known.reduce<Position | undefined>(
    (farthest, own) => (farthest === undefined || (own as Position).offset > farthest.offset ? own : farthest),
    undefined
  )
}

export function startOf(facts: PartitionFacts): Start {
  const { topic, partition, topicID, store } = facts
  const truncation = truncationOf(facts)
  const cut = <Known extends Position>(known: Known): Known =>
    truncation === undefined || known.offset <= truncation.offset ? known : { ...known, ...truncation }
  const committed =
    facts.committed === undefined || (facts.committed.topicID ?? topicID) !== topicID ? undefined : cut(facts.committed)
  const own = store?.stored?.topicID === topicID ? store.stored : undefined
  const stored = own && { ...cut(own), committedOffset: least(own.committedOffset, truncation?.offset) }

  const place = { topic, partition, topicID }
  const formerID = [facts.committed?.topicID, store?.stored?.topicID, facts.formerTopicID].find(
    id => id !== undefined && id !== topicID
  )
  const incident = (kind: Incident['kind'], more: Partial<Incident> = {}) => ({
    incident: { kind, ...place, ...more }
  })
  const startAt = ({ offset, leaderEpoch }: Position) => ({ ...place, offset, leaderEpoch })
  /** Stores and commits the position, whatever is stored and committed. */
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
      return {
        ...establish(beginningOf(facts), undefined),
        ...added,
        ...recreated,
        mustCommit: store !== undefined || formerID !== undefined
      }
    }
    // Stored when the partition was new, and not committed since: nothing was processed.
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
    // A tool has committed the offset, before the first start or after the topic was created again.
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
  const change = { former: store.stored, position: { ...place, ...stored } }
  return { ...startAt(committed), ...truncated, change, mustCommit: true, savedCommitted: stored.committedOffset }
}

/** Where the log diverges from what was read; undefined while it does not. */
function truncationOf(facts: PartitionFacts): (Position & { readonly from: bigint }) | undefined {
  const reference = referenceOf(facts)
  if (reference === undefined || facts.log === undefined) return undefined
  const known = reference.leaderEpoch === unknownEpoch ? undefined : facts.epochEnd
  const offset = known?.endOffset ?? facts.log.end
  if (reference.offset <= offset) return undefined
  return { offset, leaderEpoch: known?.leaderEpoch ?? unknownEpoch, from: reference.offset }
}

function beginningOf({ topic, partition, log }: PartitionFacts): Position {
  if (log === undefined) {
    const message = `${topic}/${partition} has no leader at the moment`
    throw new KafkaError('LEADER_NOT_AVAILABLE', message, { retryable: true })
  }
  return { offset: log.beginning, leaderEpoch: unknownEpoch }
}

function least(offset: bigint | undefined, limit: bigint | undefined): bigint | undefined {
  return offset === undefined || limit === undefined || offset <= limit ? offset : limit
}

export interface StartOptions {
  readonly formerTopicIDs: ReadonlyMap<string, string>
  readonly store: PositionStore | undefined
  readonly signal: AbortSignal
}

export interface Starts {
  readonly starts: readonly Start[]
  /** Partitions for which it cannot be decided at the moment, and why. */
  readonly failed: readonly FailedPlace[]
}

/** Each partition fails alone. @throws KafkaError when the group or the cluster cannot be asked, what the store throws, or the signal's reason */
export async function startingPositions(
  cluster: Cluster,
  group: GroupIdentity,
  partitions: readonly TopicPartition[],
  { formerTopicIDs, store, signal }: StartOptions
): Promise<Starts> {
  const offsets = await committedOffsets(cluster, group, partitions, { signal })
  const committed = byPlace(offsets.found)
  const failed = byPlace<FailedPlace>(offsets.failed)
  const fail = (own: TopicPartition, thrown: unknown) => {
    const error = toKafkaError(thrown, `deciding where to start in ${placeKey(own)}`)
    failed.set(placeKey(own), { topic: own.topic, partition: own.partition, error })
  }
  const ofGroup = store?.whenBehind === 'stop' ? await lastCommittedOffsets(cluster, group.groupID) : []
  const stored = (await store?.load()) ?? []
  const storedByPlace = byPlace(stored)
  await cluster.refresh() // the ids and leader epochs that it knows may be old
  const known = []
  for (const own of partitions.filter(own => !failed.has(placeKey(own)))) {
    const leader = (await cluster.partitions(own.topic).catch(error => fail(own, error)))?.[own.partition]
    if (leader === undefined) {
      if (!failed.has(placeKey(own))) fail(own, notThere(own))
      continue
    }
    known.push({
      ...own,
      topicID: leader.topicID,
      hasLeader: leader.leaderID >= 0,
      committed: committed.get(placeKey(own)),
      formerTopicID: formerTopicIDs.get(own.topic),
      store: store && {
        whenBehind: store.whenBehind,
        stored: storedByPlace.get(placeKey(own)),
        isAdded: isAdded(own, stored)
      }
    })
  }
  // A log that cannot be asked must not hold up the others: the first fetch compares it with the position.
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
  const [beginningOf, endOf] = [byPlace(beginnings.found), byPlace(ends.found)]
  const unasked = byPlace(epochs.failed)
  const log = (own: TopicPartition) => {
    const [beginning, end] = [beginningOf.get(placeKey(own))?.offset, endOf.get(placeKey(own))?.offset]
    return beginning === undefined || end === undefined || unasked.has(placeKey(own)) ? undefined : { beginning, end }
  }
  const starts: Start[] = []
  for (const own of known) {
    try {
      starts.push(startOf({ ...own, log: log(own), epochEnd: epochs.answers.get(placeKey(own)) }))
    } catch (error) {
      fail(own, error)
    }
  }
  const decided = new Set(starts.map(placeKey))
  starts.push(...lostPositions(ofGroup, stored).flatMap(lost => (decided.has(placeKey(lost)) ? [] : refusalFor(lost))))
  const recreated = starts.filter(({ incident }) => incident?.kind === 'topic_recreated')
  for (const [topic, topicID] of new Map(recreated.map(own => [own.topic, own.topicID])))
    await confirmTopicID(cluster, topic, topicID)
  return { starts, failed: [...failed.values()] }
}

/** Refuses to start for a partition that was not decided, such as another instance's: decisions here may depend on effects that were lost there. */
function refusalFor(incident: ReturnType<typeof lostPositions>[number]): Start {
  const { topic, partition, topicID = '', fromOffset = 0n } = incident
  const position = { topic, partition, topicID, offset: fromOffset, leaderEpoch: unknownEpoch }
  return { ...position, incident, refusal: 'DATABASE_BEHIND' }
}

function byPlace<Known extends TopicPartition>(known: readonly Known[]): Map<string, Known> {
  return new Map(known.map(own => [placeKey(own), own]))
}

function notThere({ topic, partition }: TopicPartition): KafkaError {
  return new KafkaError('UNKNOWN_TOPIC_OR_PARTITION', `${topic} has no partition ${partition}`, { retryable: true })
}

/**
 * Returns true for a partition that was added to a topic of the group: positions are stored in all partitions up to some lower
 * number, and in no other. While the instances of a new group start one by one, there are gaps between those that are stored.
 */
export function isAdded({ topic, partition }: TopicPartition, stored: readonly TopicPartition[]): boolean {
  const known = stored.filter(own => own.topic === topic).map(own => own.partition)
  return known.length > 0 && known.length <= partition && known.every(own => own < known.length)
}
