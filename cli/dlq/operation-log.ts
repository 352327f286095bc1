import { operationLogTopic, topicConfig } from '@orderly/contracts'
import {
  createTopicReader,
  createTopics,
  type KafkaConnection,
  type OperationStep,
  type OutputRecord
} from '@orderly/kafka'

/**
 * One step of an operation on dead letters, for the audit. The operation log is a topic that keeps
 * its records forever. Each step is written in the transaction that performs it, so the log
 * contains exactly the performed steps.
 */
export interface LoggedStep {
  readonly operation: string
  readonly kind: 'replay' | 'drop'
  readonly by: string
  readonly atMs: number
  readonly reason: string | undefined
  /** The filter as typed; empty for everything. */
  readonly filter: string
  readonly topic: string
  readonly replayed: number
  readonly dropped: number
  /** Number of keys that no earlier step contained. */
  readonly keys: number
  /** Positions of the dead letters, as `partition/offset` in the topic. */
  readonly replayedDeadLetters: readonly string[]
  readonly droppedDeadLetters: readonly string[]
}

export async function createOperationLog(connection: KafkaConnection): Promise<void> {
  await createTopics(connection, [
    { name: operationLogTopic, partitions: 1, replicationFactor: -1, configs: topicConfig(operationLogTopic) }
  ])
}

export function toLogRecord(
  operation: Pick<LoggedStep, 'operation' | 'kind' | 'by' | 'reason' | 'filter' | 'topic'>,
  { operations, newKeys, replayed, dropped }: OperationStep
): OutputRecord {
  const places = (deadLetters: readonly { partition: number; offset: bigint }[]) =>
    deadLetters.map(({ partition, offset }) => `${partition}/${offset}`)
  const step: LoggedStep = {
    ...operation,
    atMs: Date.now(),
    replayed,
    dropped,
    keys: newKeys,
    replayedDeadLetters: places(operations.flatMap(({ replay }) => replay)),
    droppedDeadLetters: places(operations.flatMap(({ drop }) => drop))
  }
  const value = Buffer.from(JSON.stringify(step))
  return { topic: operationLogTopic, key: operation.operation, value, headers: { 'content-type': 'application/json' } }
}

/** Reads all steps, the oldest first. */
export async function readOperationLog(connection: KafkaConnection, signal: AbortSignal): Promise<LoggedStep[]> {
  const steps: LoggedStep[] = []
  const reader = createTopicReader(connection, [operationLogTopic])
  try {
    await reader.readOn(({ value }) => value !== null && steps.push(JSON.parse(value.toString())), signal)
  } finally {
    await reader.close()
  }
  return steps
}
