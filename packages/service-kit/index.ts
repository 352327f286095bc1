export { ConfigError } from './config/config-error.ts'
export { findStack, portSettings } from './config/find-stack.ts'
export { type KafkaConfig, kafkaConnection } from './config/kafka-connection.ts'
export { type DatabaseCredentials, databaseURLOf, localDatabaseURL, readCredentials } from './config/local-database.ts'
export { type LocalStack, publishLocalStack, readLocalStack } from './config/local-stack.ts'
export { type Config, parseConfig } from './config/parse-config.ts'
export { type RegistryAddress, type RegistryConfig, registryAddress } from './config/registry-address.ts'
export { replaceFile } from './config/replace-file.ts'
export {
  databaseSettings,
  httpPort,
  kafkaSettings,
  ownerDatabaseURL,
  registrySettings,
  serviceSettings
} from './config/settings.ts'
export { splitCredentials } from './config/split-credentials.ts'
export { refer, refused, retryAfter, serviceUnavailable } from './http/answers.ts'
export { apiNames } from './http/api-page.ts'
export { idempotencyKeyForm, idempotencyKeyOf, idempotencyKeyPattern } from './http/idempotency-key.ts'
export { elementsOf, parseJSON } from './http/json-body.ts'
export { addOpenApi } from './http/openapi.ts'
export { printable } from './http/printable.ts'
export {
  type FieldError,
  FieldErrorSchema,
  invalidFields,
  type Problem,
  ProblemError,
  ProblemSchema,
  problemContentType
} from './http/problem.ts'
export type { ProblemCode } from './http/problem-types.ts'
export { readBody } from './http/read-body.ts'
export { allowHosts, isLoopback } from './http/request-head.ts'
export { exitWhenWritten } from './lifecycle/exit-when-written.ts'
export { runService } from './lifecycle/run-service.ts'
export type { ServiceContext, ServiceDefinition } from './lifecycle/service.ts'
export { startStage } from './lifecycle/start-stage.ts'
export { atMostEvery } from './logging/at-most-every.ts'
export { createLogger, type Logger } from './logging/logger.ts'
export { maskSecrets } from './logging/mask-secrets.ts'
export { boundedLabel } from './metrics/bounded-label.ts'
export { exemplarHistogram } from './metrics/exposition.ts'
export type { Metrics } from './metrics/registry.ts'
export { stageObserver } from './metrics/stage-observer.ts'
export { newID } from './random/random-pool.ts'
export { escapeControls, escapeControlsInJSON, escapeControlsInLines } from './text/escape-controls.ts'
export type { TracingConfig } from './tracing/settings.ts'
export { type FinishedSpan, isSampled, preciseNowMs, type Spans } from './tracing/spans.ts'
export { startTracing } from './tracing/start-tracing.ts'
export {
  childTraceparent,
  exemplarOf,
  newTraceparent,
  parseTraceparent,
  sameTraceparent,
  type TraceContext,
  traceFields
} from './tracing/trace-context.ts'
export { traceProducer, traceReservedWriter } from './tracing/trace-producer.ts'
export { traceStage } from './tracing/trace-stage.ts'
