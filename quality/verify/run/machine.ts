import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { MachineSample } from '../history/history.ts'

/** Measures the speed of the machine during a run, so that a slow machine extends the bounds. */
export class Machine {
  readonly samples: MachineSample[] = []
  readonly #worker = new Worker(join(import.meta.dirname, 'machine-probe.ts'))

  constructor() {
    this.#worker.on('message', (sample: MachineSample) => this.samples.push(sample))
    this.#worker.unref()
  }

  async stop(): Promise<void> {
    await this.#worker.terminate()
  }
}
