export { type Grant, grantAccess } from './cluster/acls.ts'
export { checkConnection, createTopics, growTopic, type TopicToCreate } from './cluster/admin.ts'
export type { FetchedRecord } from './committed-read/fetched-record.ts'
export type { PartitionProgress } from './committed-read/fetcher.ts'
export type { ReadLimits } from './committed-read/read-limits.ts'
export type { KafkaConnection } from './connection.ts'
export type { LetterKey, ReleaseAnswer } from './dead-letters/book.ts'
export type { LetterCount } from './dead-letters/counts.ts'
export { type DeadLetterFollower, type FollowedCounts, followDeadLetters } from './dead-letters/follow.ts'
export { type DeadLetter, type LetterBatch, letterHeader, type ReducedLetter, toLetter } from './dead-letters/letter.ts'
export {
  type DeadLetterOperation,
  type OperationResult,
  type OperationStep,
  operateOnDeadLetters,
  operationIDPrefix,
  originalsOf,
  planOperation,
  readDeadLetters
} from './dead-letters/operate.ts'
export type { KeyOperation } from './dead-letters/operation.ts'
export type { OriginalState } from './dead-letters/original.ts'
export { type KeyLeftAlone, type LeftAlone, type OperationPlan, planDrop, planReplay } from './dead-letters/plan.ts'
export { createTopicReader, type TopicReader } from './dead-letters/reader.ts'
export { deadLetterTopicConfig, keepsEverything } from './dead-letters/topic-config.ts'
export { deadLetterTopic, isDeadLetterTopic } from './dead-letters/topics.ts'
export { KafkaError } from './errors.ts'
export type { TopicPartition } from './group/assignment.ts'
export type { CommittedOffset } from './group/committed-offsets.ts'
export type { InputOffset } from './group/offset-entry.ts'
export { offsetsIDPrefix, setGroupOffsets } from './group/set-offsets.ts'
export type { GroupDescription, GroupMemberDescription } from './inspect/groups.ts'
export type { HangingTransaction } from './inspect/hanging-transactions.ts'
export { createInspector, type KafkaInspector } from './inspect/inspector.ts'
export type { PartitionLag } from './inspect/lag.ts'
export { type OffsetRange, readRanges } from './inspect/read-ranges.ts'
export type { PartitionDescription, TopicConfig, TopicDescription } from './inspect/topics.ts'
export type { HeldPartition, OpenTransaction, PartitionHolder } from './inspect/transactions.ts'
export { outputHeader, withHeader } from './output-headers.ts'
export {
  createOnceWriter,
  type OnceWriter,
  OnceWriterError,
  type OnceWriterOptions,
  type SlotEnd,
  type WriteSlot
} from './producer/once-writer.ts'
export { createProducer, type Producer, type ProducerOptions } from './producer/producer.ts'
export { recordHeaders } from './record-headers.ts'
export type { Codec, HeaderField, Logger, OutputRecord, RecordHeaders, StageRecord, Topic } from './records.ts'
export { deadLetterHeaders } from './stage/dead-letters.ts'
export { type StagePoint, stageChannelName, stagePoints } from './stage/points.ts'
export {
  checkAdvanced,
  type Incident,
  type IncidentKind,
  incidentKinds,
  type PositionAdvance,
  type PositionChange,
  PositionConflictError,
  type PositionStore,
  type StoredPosition
} from './stage/position-store.ts'
export { runStage } from './stage/run-stage.ts'
export type {
  ProcessContext,
  RunningStage,
  Stage,
  StageObserver,
  StageOptions,
  StageTick,
  TickContext
} from './stage/stage.ts'
