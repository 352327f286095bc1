export { checkConnection, createTopics, type TopicToCreate } from './cluster/admin.ts'
export type { PartitionProgress } from './committed-read/fetcher.ts'
export type { KafkaConnection } from './connection.ts'
export { KafkaError } from './errors.ts'
export {
  createOnceWriter,
  type OnceWriter,
  OnceWriterError,
  type OnceWriterOptions,
  type SlotEnd,
  type WriteSlot
} from './producer/once-writer.ts'
export { createProducer, type Producer, type ProducerOptions } from './producer/producer.ts'
export type { Codec, Logger, OutputRecord, RecordHeaders, StageRecord, Topic } from './records.ts'
export { deadLetterTopic } from './stage/dead-letters.ts'
export { type StagePoint, stageChannelName, stagePoints } from './stage/points.ts'
export { runStage } from './stage/run-stage.ts'
export type { RunningStage, Stage, StageObserver, StageOptions, StageTick, TickContext } from './stage/stage.ts'
