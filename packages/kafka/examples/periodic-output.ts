/**
 * Example: a tick writes outputs that depend on time, not on records.
 *
 * Every 200 ms this stage writes for each of its partitions up to which time all records have been
 * processed (a watermark). Readers use it to close a time window.
 *
 * A tick runs between two batches, when everything that was taken is committed. Its outputs are
 * committed with the offsets of the partitions, so an instance that lost its partitions writes
 * nothing. A tick that fails is not repeated: the next one must include what it would have written.
 */
import {
  bytesCodec,
  type KafkaConnection,
  type Logger,
  type RunningStage,
  runStage,
  type Stage,
  type Topic
} from '@orderly/kafka'

export const measurements: Topic<Buffer> = {
  name: 'periodic.measurements',
  eventType: 'Measurement',
  codec: bytesCodec
}
export const watermarksTopic = 'periodic.watermarks'

const watermarks: Stage<Buffer> = {
  name: 'watermarks',
  group: 'periodic-output',
  inputs: [measurements],
  process: async () => [],
  tick: {
    everyMs: 200,
    // Asks the brokers before each run, so that a partition without new records proceeds as well.
    tracksCompleteness: true,
    async run({ partitions }) {
      return partitions.flatMap(({ topic, partition, offset, completeUntilMs }) => {
        if (completeUntilMs === undefined) return []
        const value = Buffer.from(JSON.stringify({ offset: Number(offset), completeUntilMs }))
        return { topic: watermarksTopic, key: `${topic}/${partition}`, value, headers: {} }
      })
    }
  }
}

export function startWatermarks(connection: KafkaConnection, logger: Logger): RunningStage {
  const ids = { transactionalID: 'watermarks-1', instanceID: 'watermarks-1' }
  return runStage(watermarks, { connection, ...ids, isTransient: () => false, logger })
}
