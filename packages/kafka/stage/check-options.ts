import { checkFunction, checkOneOf, checkPositiveIntegers, checkSignal, checkText, invalidOption } from '../options.ts'
import { compressions } from '../producer/compression.ts'
import type { Stage, StageOptions } from './stage.ts'
import { startAts } from './start-at.ts'

/** Checks a stage. @throws KafkaError `INVALID_OPTION`, which names the property */
export function assertValidStage<Event>(stage: Stage<Event>): void {
  const { name, group, inputs, recordsInACall, process, tick } = stage
  checkText('stage.name', name)
  checkText('stage.group', group)
  if (!Array.isArray(inputs) || inputs.length === 0) throw invalidOption('stage.inputs', 'a list of topics', inputs)
  for (const topic of inputs) {
    checkText('stage.inputs.name', topic?.name)
    for (const method of ['isPrepared', 'prepare', 'decode'] as const)
      checkFunction(`stage.inputs.codec.${method}`, topic.codec?.[method])
  }
  checkPositiveIntegers({ 'stage.recordsInACall': recordsInACall })
  checkFunction('stage.process', process)
  if (tick === undefined) return
  checkPositiveIntegers({ 'stage.tick.everyMs': tick.everyMs ?? null })
  checkFunction('stage.tick.run', tick.run)
}

/** Options that do not depend on the broker. */
type CommonOptions = Omit<StageOptions, 'connection' | 'delivery' | 'transactionalID' | 'instanceID'>

/** Checks the options of a stage. @throws KafkaError `INVALID_OPTION`, which names the option */
export function assertValidStageOptions(options: CommonOptions): void {
  const { maxBatchRecords, maxBatchBytes, maxBufferedBytes, sessionTimeoutMs, limits, fetchPace } = options
  checkPositiveIntegers({ maxBatchRecords, maxBatchBytes, maxBufferedBytes, sessionTimeoutMs })
  checkPositiveIntegers({ 'limits.recordBytes': limits?.recordBytes, 'limits.batchBytes': limits?.batchBytes })
  for (const name of ['everyMs', 'abovePerSecond'] as const) {
    const value = fetchPace?.[name]
    if (value !== undefined && !(Number.isFinite(value) && value >= 0))
      throw invalidOption(`fetchPace.${name}`, 'a number that is not negative', value)
  }
  checkOneOf('startAt', options.startAt, startAts)
  checkOneOf('compression', options.compression, compressions)
  checkSignal('signal', options.signal)
  checkFunction('isTransient', options.isTransient)
  for (const method of ['debug', 'info', 'warn', 'error'] as const)
    checkFunction(`logger.${method}`, options.logger?.[method])
  for (const method of ['load', 'advance', 'replace'] as const)
    if (options.positions !== undefined) checkFunction(`positions.${method}`, options.positions[method])
}

/** Checks the options that concern the broker. @throws KafkaError `INVALID_OPTION` */
export function assertValidDelivery({ delivery, transactionalID, instanceID }: StageOptions): void {
  checkOneOf('delivery', delivery, ['exactly-once', 'at-least-once'])
  if (transactionalID !== undefined) checkText('transactionalID', transactionalID)
  if (instanceID !== undefined) checkText('instanceID', instanceID)
}
