export { acceptanceReadMs, acceptanceRecord, acceptanceTopic, pausedUntilMsOf } from './acceptance.ts'
export { ContractError, type ContractErrorCode, SchemaRejectedError } from './errors.ts'
export { failureReasons } from './failure-reasons.ts'
export type { ConfirmedItem, InventoryConfirmed } from './generated/inventory-confirmed.ts'
export type { InventoryFailed, Shortage } from './generated/inventory-failed.ts'
export type { InventoryReleased, ReleasedItem } from './generated/inventory-released.ts'
export type { InventoryReserved, ReservedItem } from './generated/inventory-reserved.ts'
export type { OrderChangeRequested } from './generated/order-change-requested.ts'
export { type OrderCreated, type OrderItem, orderCreatedSchemas } from './generated/order-created.ts'
export type { OrderRate } from './generated/order-rate.ts'
export type { StockMoved } from './generated/stock-moved.ts'
export { isoTime } from './iso-time.ts'
export {
  type OrderStatus,
  orderStatuses,
  orderStatusOf,
  releaseCauses,
  type StatusFacts,
  statusOfFailure,
  statusOfRelease
} from './order-status.ts'
export {
  callerOf,
  changeName,
  eventHeaders,
  eventID,
  keySeparator,
  ownerOfKey,
  type RecordOptions,
  type RecordOwner,
  recordKey,
  settlementName,
  toRecord
} from './records.ts'
export { createSchemaRegistry, type SchemaRegistryOptions } from './registry/confluent.ts'
export type { RegisteredSchema, SchemaRegistry, WriterSchema } from './registry/registry.ts'
export { expiryRequestID, type KeyedRequest, keyedRequestID, unnamedRequestID } from './request-id.ts'
export { brokerRetention, operationLogTopic, retention, topicConfig } from './retention.ts'
export { defaultsOf, type RecordSchema } from './schema.ts'
export {
  connectTopics,
  ephemeralGroupPrefixes,
  type KafkaAccess,
  releasedSchemas,
  type Topics,
  type TopicUse,
  type TopicUses,
  topicNames
} from './topics.ts'
