/**
 * Example: a record that fails becomes a dead letter, and an operator replays it after the repair.
 *
 * `process` rejects: the stage halves the batch until the failing record is alone, and writes it to
 * `<topic>.dlq`. Later records of the same key follow it, so the order within a key is kept. Other
 * keys continue. A replay writes all dead letters of a key to the input topic again, in order, and
 * then releases the key.
 */
import {
  type DeadLetterKey,
  deadLetterTopic,
  executeOnDeadLetters,
  type KafkaConnection,
  type Logger,
  type OperationResult,
  planReplay,
  type RunningStage,
  readDeadLetters,
  runStage,
  stringCodec,
  type Topic
} from '@orderly/kafka'

export const amounts: Topic<string> = { name: 'dead-letters.amounts', eventType: 'Amount', codec: stringCodec }
export const doubledTopic = 'dead-letters.doubled'
export const operationsTopic = 'dead-letters.operations'

/** @param parse throws if it cannot read an amount */
export function startDoubling(
  parse: (text: string) => number,
  connection: KafkaConnection,
  logger: Logger
): RunningStage {
  const ids = { transactionalID: 'doubling-1', instanceID: 'doubling-1' }
  return runStage(
    {
      name: 'doubling',
      group: 'dead-letters',
      inputs: [amounts],
      process: async records =>
        records.map(({ key, event }) => {
          return { topic: doubledTopic, key, value: Buffer.from(String(parse(event) * 2)), headers: {} }
        })
    },
    { connection, ...ids, isTransient: () => false, logger }
  )
}

/** Returns the keys with dead letters; each has its dead letters with code, reason and position. */
export function listDeadLetters(connection: KafkaConnection, signal: AbortSignal): Promise<DeadLetterKey[]> {
  return readDeadLetters(connection, [deadLetterTopic(amounts.name)], signal)
}

/** Replays all dead letters, exactly once: after an interruption, call it again. */
export function replayDeadLetters(
  connection: KafkaConnection,
  reason: string,
  signal: AbortSignal
): Promise<OperationResult> {
  return executeOnDeadLetters(
    connection,
    {
      topic: deadLetterTopic(amounts.name),
      plan: keys => planReplay(keys, `replay-${Date.now()}`),
      // Committed with the replayed records.
      audit: ({ replayed }) => {
        const value = Buffer.from(JSON.stringify({ reason, replayed }))
        return { topic: operationsTopic, key: amounts.name, value, headers: {} }
      },
      ratePerSecond: 1_000
    },
    { signal, waitMs: 10_000 }
  )
}
