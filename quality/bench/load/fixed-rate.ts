import { startOurs } from '../peers/ours.ts'
import type { LoadResult } from './closed-loop.ts'

export interface FixedRateLoad {
  readonly url: string
  readonly perSecond: number
  readonly seconds: number
  /** Headers of each request, in addition to `content-type`. */
  readonly headers?: Readonly<Record<string, string>>
  /** True if each request has a unique idempotency key. */
  readonly isKeyed?: boolean
}

/** A load generator that sends requests at a fixed rate, whatever the latency of earlier ones. */
export interface FixedRate {
  run(load: FixedRateLoad): Promise<LoadResult>
  stop(): Promise<void>
}

export function startFixedRate(): FixedRate {
  const worker = startOurs('fixed-rate-worker')
  return {
    run: load => worker.ask<LoadResult>({ ...load }),
    stop: () => worker.stop()
  }
}
