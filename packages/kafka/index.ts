export { type Grant, grantAccess } from './cluster/acls.ts'
export {
  checkConnection,
  configureTopic,
  createTopics,
  deleteGroup,
  growTopic,
  type TopicToCreate
} from './cluster/admin.ts'
export { type AvroCodecOptions, type AvroType, avroCodec } from './codecs/avro-codec.ts'
export { bytesCodec, type JSONCodecOptions, jsonCodec, stringCodec } from './codecs/plain-codecs.ts'
export { UnreadableError } from './codecs/unreadable-error.ts'
export type { KafkaConnection, PasswordLogin, TokenLogin } from './connection.ts'
export type { CommittedOffset } from './consumer-group/committed-offsets.ts'
export type { InputOffset } from './consumer-group/offset-entry.ts'
export type { WaitingDeadLetters } from './dead-letter-replay/counts.ts'
export {
  type DeadLetter,
  type DeadLetterBatch,
  type DeadLetterPosition,
  deadLetterHeader,
  parseDeadLetter,
  type ReducedDeadLetter
} from './dead-letter-replay/dead-letter.ts'
export type { DeadLetterKey, InFlight, ReleaseAnswer } from './dead-letter-replay/dead-letter-index.ts'
export {
  type DeadLetterOperation,
  executeOnDeadLetters,
  type OperationResult,
  type OperationStep,
  operationIDPrefix,
  originalsOf,
  planOperation,
  readDeadLetters
} from './dead-letter-replay/execute.ts'
export { type DeadLetterFollower, type FollowedCounts, followDeadLetters } from './dead-letter-replay/follow.ts'
export type { KeyOperation } from './dead-letter-replay/operation.ts'
export type { OriginalState } from './dead-letter-replay/original.ts'
export {
  type KeyLeftAlone,
  type LeftAlone,
  type OperationPlan,
  planDrop,
  planReplay
} from './dead-letter-replay/plan.ts'
export { createTopicReader, type TopicReader, type TopicReaderOptions } from './dead-letter-replay/reader.ts'
export { deadLetterTopicConfig, keepsEverything } from './dead-letter-replay/topic-config.ts'
export { type OwnHeaders, releaseHeader, replayHeader } from './dead-letters/headers.ts'
export { deadLetterTopic, isDeadLetterTopic } from './dead-letters/topics.ts'
export { KafkaError } from './errors.ts'
export { type StageFailpoint, stageChannelName, stageFailpoints, tickFailpoint } from './failpoints.ts'
export type { FetchPace } from './fetch/fetch-rounds.ts'
export type { FetchedHeaders } from './fetch/fetched-headers.ts'
export type { FetchedRecord, UnreadRecords } from './fetch/fetched-record.ts'
export type { PartitionPosition, PartitionProgress } from './fetch/partition-state.ts'
export type { ReadLimits } from './fetch/read-limits.ts'
export type { GroupDescription, GroupMemberDescription } from './inspect/groups.ts'
export {
  findHangingTransactions,
  type HangingTransaction,
  type ObservedTransactions
} from './inspect/hanging-transactions.ts'
export { createInspector, type KafkaInspector } from './inspect/inspector.ts'
export type { PartitionLag } from './inspect/lag.ts'
export type { QuorumDescription } from './inspect/quorum.ts'
export { type OffsetRange, readRanges } from './inspect/read-ranges.ts'
export type { PartitionDescription, TopicConfig, TopicDescription } from './inspect/topics.ts'
export type { HeldPartition, OpenTransaction, PartitionHolder } from './inspect/transactions.ts'
export type { Compression } from './producer/compression.ts'
export { createProducer, type Producer } from './producer/producer.ts'
export type { ProducerOptions, SendOptions } from './producer/producer-options.ts'
export {
  createReservedWriter,
  type ReservationEnd,
  type ReservedWriter,
  ReservedWriterError,
  type ReservedWriterOptions,
  type SequenceReservation
} from './producer/reserved-writer.ts'
export {
  type Codec,
  type HeaderField,
  type Logger,
  type OutputRecord,
  outputHeader,
  type RecordHeaders,
  recordHeaders,
  type StageRecord,
  type Topic,
  withHeader
} from './records.ts'
export { deadLetterHeaders } from './stage/dead-letters.ts'
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
  StopOptions,
  TickContext
} from './stage/stage.ts'
export type { PartitionHealth, StageFailure, StageHealth, StageState } from './stage/stage-health.ts'
export type { StartAt } from './stage/start-at.ts'
export { offsetsIDPrefix, setGroupOffsets } from './transaction/set-offsets.ts'
export { partitionKey, type TopicPartition } from './types.ts'
