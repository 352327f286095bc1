import {
  createTopicReader,
  createTopics,
  type KafkaConnection,
  keepsEverything,
  type OperationStep,
  type OutputRecord
} from '@orderly/kafka'

/**
 * The audit of what was done with dead letters: a topic of its own that forgets nothing. Each step of an operation is a record in
 * it, written in the transaction that takes the step, so the log says neither more nor less than what happened.
 */
export const operationLogTopic = 'dlq.operations'

/** One step, as it stands in the log. */
export interface LoggedStep {
  readonly operation: string
  readonly kind: 'replay' | 'drop'
  readonly by: string
  readonly atMs: number
  readonly reason: string | undefined
  /** As it was typed; empty for everything. */
  readonly filter: string
  readonly topic: string
  readonly replayed: number
  readonly dropped: number
  /** Those that no step before had. */
  readonly keys: number
  /** Where the letters lay: `partition/offset` in the topic. */
  readonly replayedLetters: readonly string[]
  readonly droppedLetters: readonly string[]
}

export async function createOperationLog(connection: KafkaConnection): Promise<void> {
  await createTopics(connection, [
    { name: operationLogTopic, partitions: 1, replicationFactor: -1, configs: keepsEverything }
  ])
}

export function toLogRecord(
  operation: Pick<LoggedStep, 'operation' | 'kind' | 'by' | 'reason' | 'filter' | 'topic'>,
  { operations, newKeys, replayed, dropped }: OperationStep
): OutputRecord {
  const places = (letters: readonly { partition: number; offset: bigint }[]) =>
    letters.map(({ partition, offset }) => `${partition}/${offset}`)
  const step: LoggedStep = {
    ...operation,
    atMs: Date.now(),
    replayed,
    dropped,
    keys: newKeys,
    replayedLetters: places(operations.flatMap(({ replay }) => replay)),
    droppedLetters: places(operations.flatMap(({ drop }) => drop))
  }
  const value = Buffer.from(JSON.stringify(step))
  return { topic: operationLogTopic, key: operation.operation, value, headers: { 'content-type': 'application/json' } }
}

/** Every step that was ever taken, the oldest first. */
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
