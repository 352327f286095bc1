import { setTimeout as delay } from 'node:timers/promises'
import { backoffMs } from '@orderly/retry'
import type { Connection } from '@platformatic/kafka'
import { KafkaError, protocolError, toKafkaError } from '../errors.ts'
import { partitionKey, type TopicPartition } from '../types.ts'
import type { Cluster, PartitionLeader } from './cluster.ts'

export interface FailedPartition extends TopicPartition {
  readonly error: KafkaError
}

export type Led<Question extends TopicPartition> = Question & { readonly leader: PartitionLeader }

export interface LeaderAnswer<Answer> extends TopicPartition {
  readonly errorCode: number
  readonly answer: Answer
}

export interface Answers<Answer> {
  /** Answers by `topic/partition`. */
  readonly answers: ReadonlyMap<string, Answer>
  readonly failed: readonly FailedPartition[]
}

/** Errors of a broker whose view of the leader differs from that of the client. */
const leaderMoved = new Set(['NOT_LEADER_OR_FOLLOWER', 'FENCED_LEADER_EPOCH', 'UNKNOWN_LEADER_EPOCH'])
const attempts = 5
const initialDelayMs = 100

/**
 * Queries the leader of each partition, with one request per leader. A partition without a leader,
 * or whose leader does not answer or returns an error, fails without affecting the others. While
 * brokers and client disagree about a leader, as after an election, the partition is queried again,
 * for about 1.5 s.
 *
 * @param ask sends one request for partitions with the same leader. The request must contain the
 * leader epoch, so that a broker that is not the leader returns an error instead of answering from
 * an old log
 * @returns the answers by `topic/partition`, and the partitions without one
 */
export async function askLeaders<Question extends TopicPartition, Answer>(
  cluster: Cluster,
  questions: readonly Question[],
  ask: Ask<Question, Answer>
): Promise<Answers<Answer>> {
  const answers = new Map<string, Answer>()
  let failed: readonly FailedPartition[] = []
  let open = questions
  for (let attempt = 1; ; attempt++) {
    const round = await askOnce(cluster, open, ask)
    for (const [partition, answer] of round.answers) answers.set(partition, answer)
    const hasMoved = ({ error }: FailedPartition) => attempt < attempts && leaderMoved.has(error.code)
    failed = [...failed, ...round.failed.filter(each => !hasMoved(each))]
    const moved = new Set(round.failed.filter(hasMoved).map(partitionKey))
    if (moved.size === 0) return { answers, failed }
    open = open.filter(question => moved.has(partitionKey(question)))
    await delay(backoffMs(attempt, { initialMs: initialDelayMs, maxMs: Infinity }))
  }
}

type Ask<Question extends TopicPartition, Answer> = (
  connection: Connection,
  led: readonly Led<Question>[]
) => Promise<readonly LeaderAnswer<Answer>[]>

async function askOnce<Question extends TopicPartition, Answer>(
  cluster: Cluster,
  questions: readonly Question[],
  ask: Ask<Question, Answer>
): Promise<Answers<Answer>> {
  const answers = new Map<string, Answer>()
  const errors = new Map<string, KafkaError>()
  const fail = (question: TopicPartition, thrown: unknown) => {
    const error = toKafkaError(thrown, `asking the leader of ${partitionKey(question)}`)
    errors.set(partitionKey(question), error)
    if (error.retryable) cluster.doubt(question.topic, question.partition)
  }
  const led: Led<Question>[] = []
  const locating = questions.map(async question => {
    try {
      led.push({ ...question, leader: await cluster.leader(question.topic, question.partition) })
    } catch (error) {
      fail(question, error)
    }
  })
  await Promise.all(locating)
  const asking = [...Map.groupBy(led, ({ leader }) => leader.leaderID)].map(async ([leaderID, group]) => {
    try {
      for (const { errorCode, answer, ...own } of await ask(await cluster.connectionTo(leaderID), group)) {
        if (errorCode === 0) answers.set(partitionKey(own), answer)
        else fail(own, protocolError(errorCode, `asking the leader of ${partitionKey(own)}`))
      }
    } catch (error) {
      for (const question of group) fail(question, error)
    }
  })
  await Promise.all(asking)
  const unanswered = new KafkaError('BROKER_UNAVAILABLE', 'no answer for the partition', { retryable: true })
  const failed = questions
    .filter(question => !answers.has(partitionKey(question)))
    .map(({ topic, partition }) => ({
      topic,
      partition,
      error: errors.get(partitionKey({ topic, partition })) ?? unanswered
    }))
  return { answers, failed }
}
