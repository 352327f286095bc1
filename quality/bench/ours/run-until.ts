import { runStage, type Stage, type StageOptions } from '@orderly/kafka'
import type { Work } from '../peers/worker.ts'
import { createStopwatch, silent } from './answer-tasks.ts'

/** Runs a stage until it has committed the given number of records. */
export async function runUntil<Event>(
  stage: Stage<Event>,
  wanted: number,
  options: Omit<StageOptions, 'logger' | 'isTransient'> & Partial<StageOptions>
): Promise<Work> {
  const stopwatch = createStopwatch()
  const done = Promise.withResolvers<Work>()
  let committed = 0
  let commits = 0
  const running = runStage(
    {
      ...stage,
      process(records, context) {
        stopwatch.startOnce()
        return stage.process(records, context)
      }
    },
    {
      logger: { ...silent, error: (fields, message) => process.stderr.write(`${message} ${JSON.stringify(fields)}\n`) },
      isTransient: () => false,
      ...options,
      observer: {
        ...options.observer,
        committed(event) {
          options.observer?.committed?.(event)
          committed += event.records
          commits++
          if (committed >= wanted) done.resolve({ ...stopwatch.stop(), commits })
        }
      }
    }
  )
  const work = await Promise.race([
    done.promise,
    running.finished.then(() => Promise.reject(new Error('the stage stopped before it had committed all records')))
  ])
  await running.stop()
  return work
}
