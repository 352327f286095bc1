import { runStage, type Stage, type StageOptions } from '@orderly/kafka'
import { stageObserver } from '../metrics/stage-observer.ts'
import { traceStage } from '../tracing/trace-stage.ts'
import type { ServiceContext } from './service.ts'

/**
 * Runs a stage until the service stops, with its metrics, logs and traces. The service becomes ready
 * when the stage has joined its group, and fails when the stage cannot continue.
 */
export function startStage<Event>(
  service: Pick<ServiceContext<unknown>, 'logger' | 'metrics' | 'spans' | 'onStop' | 'ready' | 'fail'>,
  stage: Stage<Event>,
  options: Omit<StageOptions, 'logger' | 'observer'>
): void {
  const { logger, metrics, spans, onStop, ready, fail } = service
  const traced = traceStage(stage, stageObserver(metrics), spans)
  const running = runStage(traced.stage, { ...options, logger, observer: traced.observer })
  onStop('stage', () => running.stop())
  ready('stage', () => running.isReady(), 'start')
  running.finished.catch(fail)
}
