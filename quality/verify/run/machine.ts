import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { MachineSample } from '../history/history.ts'
import { sampleIntervalMs, slowdownIn } from '../history/slowdown.ts'

/**
 * Measures the speed of the machine before and during a run, so that a slow machine extends every
 * bound of time. The verdict then depends on correctness only.
 */
export class Machine {
  readonly samples: MachineSample[] = []
  readonly #worker: Worker

  /** @param directory a directory on the disk that the servers use */
  constructor(directory: string) {
    const workerData = { file: join(directory, 'machine-probe') }
    this.#worker = new Worker(join(import.meta.dirname, 'machine-probe.ts'), { workerData })
    this.#worker.on('message', (sample: MachineSample) => this.samples.push(sample))
    this.#worker.unref()
  }

  /** Returns a bound that began at `sinceMs`, extended by the slowdown of the machine since then. */
  extend(boundMs: number, sinceMs: number): number {
    return boundMs * slowdownIn(this.#samplesUntil(Date.now()), sinceMs, Date.now())
  }

  /** Returns a function that returns true when the extended bound, which begins now, has passed. */
  startBound(boundMs: number): () => boolean {
    const startedAtMs = Date.now()
    return () => Date.now() > startedAtMs + this.extend(boundMs, startedAtMs)
  }

  async stop(): Promise<void> {
    await this.#worker.terminate()
  }

  /** Returns the samples. If the next one is late, it includes one for now, which shows the delay. */
  #samplesUntil(nowMs: number): readonly MachineSample[] {
    const last = this.samples.at(-1)
    if (last === undefined || nowMs - last.atMs <= 2 * sampleIntervalMs) return this.samples
    return [...this.samples, { atMs: nowMs, slowdown: last.slowdown }]
  }
}
