import type { Connection } from '@platformatic/kafka'
import { KafkaError, protocolError, toKafkaError } from '../errors.ts'
import type { Cluster, PartitionLeader } from './cluster.ts'

export interface Place {
  readonly topic: string
  readonly partition: number
}

export interface FailedPlace extends Place {
  readonly error: KafkaError
}

export type Led<Question extends Place> = Question & { readonly leader: PartitionLeader }

export interface LeaderAnswer<Answer> extends Place {
  readonly errorCode: number
  readonly answer: Answer
}

/**
 * Queries the leader of each partition, with one request per leader. A partition without a leader,
 * or whose leader does not answer or returns an error, fails alone.
 *
 * @param ask sends one request for partitions with the same leader. The request must contain the
 * leader epoch, so that a broker that is not the leader returns an error instead of answering from
 * an old log
 * @returns the answers by `topic/partition`, and the partitions without one
 */
export async function askLeaders<Question extends Place, Answer>(
  cluster: Cluster,
  questions: readonly Question[],
  ask: (connection: Connection, led: readonly Led<Question>[]) => Promise<readonly LeaderAnswer<Answer>[]>
): Promise<{ readonly answers: ReadonlyMap<string, Answer>; readonly failed: readonly FailedPlace[] }> {
  const answers = new Map<string, Answer>()
  const errors = new Map<string, KafkaError>()
  const fail = (place: Place, thrown: unknown) => {
    const error = toKafkaError(thrown, `asking the leader of ${placeKey(place)}`)
    errors.set(placeKey(place), error)
    if (error.retryable) cluster.doubt(place.topic, place.partition)
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
  const asking = [...Map.groupBy(led, ({ leader }) => leader.leaderID)].map(async ([leaderID, own]) => {
    try {
      for (const { errorCode, answer, ...place } of await ask(await cluster.connectionTo(leaderID), own)) {
        if (errorCode === 0) answers.set(placeKey(place), answer)
        else fail(place, protocolError(errorCode, `asking the leader of ${placeKey(place)}`))
      }
    } catch (error) {
      for (const question of own) fail(question, error)
    }
  })
  await Promise.all(asking)
  const unanswered = new KafkaError('BROKER_UNAVAILABLE', 'no answer for the partition', { retryable: true })
  const failed = questions
    .filter(question => !answers.has(placeKey(question)))
    .map(({ topic, partition }) => ({ topic, partition, error: errors.get(`${topic}/${partition}`) ?? unanswered }))
  return { answers, failed }
}

export const placeKey = ({ topic, partition }: Place): string => `${topic}/${partition}`
