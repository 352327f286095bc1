import { deadLetterTopic, runStage, type Stage, type StageOptions } from '@orderly/kafka'
import { countDeadLetters } from '../metrics/count-dead-letters.ts'
import { stageObserver } from '../metrics/stage-observer.ts'
import { traceStage } from '../tracing/trace-stage.ts'
import type { ServiceContext } from './service.ts'

export interface ServiceStageOptions extends Omit<StageOptions, 'logger' | 'observer'> {
  /** Dead-letter topics to count, besides those of the stage's inputs. */
  readonly otherDeadLetterTopics?: readonly string[]
}

/**
 * Runs a stage until the service stops, with its metrics, logs and traces, and counts its dead
 * letters. The service becomes ready when the stage has joined its group, and fails when the stage
 * cannot continue.
 */
export function startStage<Event>(
  service: Pick<ServiceContext<unknown>, 'logger' | 'metrics' | 'spans' | 'onStop' | 'ready' | 'fail'>,
  stage: Stage<Event>,
  { otherDeadLetterTopics = [], ...options }: ServiceStageOptions
): void {
  const { logger, metrics, spans, onStop, ready, fail } = service
  // Begins before the stage and stops after it, so that a count never delays the stop of the stage.
  const topics = [...stage.inputs.map(({ name }) => deadLetterTopic(name)), ...otherDeadLetterTopics]
  countDeadLetters(service, { connection: options.connection, topics })
  const traced = traceStage(stage, stageObserver(metrics), spans)
  const running = runStage(traced.stage, { ...options, logger, observer: traced.observer })
  onStop('stage', () => running.stop())
  ready('stage', () => running.isReady(), 'start')
  running.finished.catch(fail)
}
