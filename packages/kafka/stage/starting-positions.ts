import type { Cluster } from '../cluster/cluster.ts'
import { confirmTopicID } from '../cluster/confirm-topic-id.ts'
import { epochEnds } from '../cluster/epoch-ends.ts'
import { listOffsets, offsetAt } from '../cluster/list-offsets.ts'
import type { EpochEnd } from '../committed-read/fetch-committed.ts'
import { KafkaError } from '../errors.ts'
import type { TopicPartition } from '../group/assignment.ts'
import { type CommittedOffset, committedOffsets } from '../group/committed-offsets.ts'
import type { GroupIdentity } from '../transaction/transactional-producer.ts'

/**
 * Decides where a stage starts to read its partitions: when they are assigned, and after everything that interrupts it.
 *
 * A stage resumes at the committed offset, if that still belongs to the log: the topic has the id that was committed with the offset, and the
 * log was written up to the offset in the leader epoch that was committed with it, or in an earlier one (KIP-320). A topic that was
 * created again is read from its beginning. A log whose tail was lost is read from the offset where it diverged: what lies before was
 * processed, and what lies behind is new, however far the log has grown meanwhile.
 */
export interface PartitionFacts extends TopicPartition {
  readonly topicID: string
  readonly committed: CommittedOffset | undefined
  /** The id by which this process knew the topic before. */
  readonly formerTopicID: string | undefined
  /** First offset of the log. */
  readonly beginning: bigint
  /** Offset behind the last record. */
  readonly end: bigint
  /** Up to where the log was written in the epoch of the committed offset; undefined when the leader knows no such epoch. */
  readonly epochEnd: EpochEnd | undefined
}

export interface Start extends TopicPartition {
  readonly topicID: string
  readonly offset: bigint
  readonly leaderEpoch: number
  /** Set when the log has lost records that were processed: the position before. */
  readonly truncatedFrom?: bigint
  readonly isRecreated?: boolean
}

const unknownEpoch = -1

export function startOf(facts: PartitionFacts): Start {
  const { topic, partition, topicID, formerTopicID, beginning } = facts
  const committed = facts.committed?.topicID === undefined || isCurrent(facts) ? facts.committed : undefined
  const former = facts.committed?.topicID ?? formerTopicID
  const place = { topic, partition, topicID }
  if (committed === undefined) {
    const start = { ...place, offset: beginning, leaderEpoch: unknownEpoch }
    return former === undefined || former === topicID ? start : { ...start, isRecreated: true }
  }
  const { offset, leaderEpoch } = committed
  const known = leaderEpoch === unknownEpoch ? undefined : facts.epochEnd
  const end = known?.endOffset ?? facts.end
  if (offset <= end) return { ...place, offset, leaderEpoch }
  return { ...place, offset: end, leaderEpoch: known?.leaderEpoch ?? unknownEpoch, truncatedFrom: offset }
}

function isCurrent({ committed, topicID }: PartitionFacts): boolean {
  return committed?.topicID === topicID
}

/** @throws KafkaError, or the signal's reason */
export async function startingPositions(
  cluster: Cluster,
  group: GroupIdentity,
  partitions: readonly TopicPartition[],
  { formerTopicIDs, signal }: { readonly formerTopicIDs: ReadonlyMap<string, string>; readonly signal: AbortSignal }
): Promise<Start[]> {
  const committed = new Map(
    (await committedOffsets(cluster, group, partitions, signal)).map(own => [placeOf(own), own])
  )
  cluster.forget() // the ids and leader epochs that it knows may be old
  const led = []
  const starts: Start[] = []
  for (const own of partitions) {
    const leader = (await cluster.partitions(own.topic))[own.partition]
    if (leader === undefined) throw notThere(own)
    const { topicID, leaderID } = leader
    const known = committed.get(placeOf(own))
    // A log without a leader cannot be asked, and must not hold up the others: the first fetch compares it with the position.
    if (leaderID < 0 && known !== undefined && (known.topicID ?? topicID) === topicID)
      starts.push({ ...own, topicID, offset: known.offset, leaderEpoch: known.leaderEpoch })
    else led.push({ ...own, topicID, committed: known })
  }
  const questions = led.flatMap(({ topic, partition, topicID, committed }) =>
    committed === undefined || committed.leaderEpoch < 0 || (committed.topicID ?? topicID) !== topicID
      ? []
      : [{ topic, partition, leaderEpoch: committed.leaderEpoch }]
  )
  const answers = await epochEnds(cluster, questions)
  const epochEndOf = new Map(questions.map((question, index) => [placeOf(question), answers[index]]))
  const beginnings = await listOffsets(cluster, led, offsetAt.beginning)
  const ends = await listOffsets(cluster, led, offsetAt.end)
  for (const [index, own] of led.entries()) {
    const facts = {
      ...own,
      formerTopicID: formerTopicIDs.get(own.topic),
      beginning: beginnings[index]?.offset ?? 0n,
      end: ends[index]?.offset ?? 0n,
      epochEnd: epochEndOf.get(placeOf(own))
    }
    starts.push(startOf(facts))
  }
  const recreated = new Map(starts.filter(({ isRecreated }) => isRecreated).map(own => [own.topic, own.topicID]))
  for (const [topic, topicID] of recreated) await confirmTopicID(cluster, topic, topicID)
  return starts
}

const placeOf = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`

function notThere({ topic, partition }: TopicPartition): KafkaError {
  return new KafkaError('UNKNOWN_TOPIC_OR_PARTITION', `${topic} has no partition ${partition}`, { retryable: true })
}
