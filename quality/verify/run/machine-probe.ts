import { setInterval } from 'node:timers'
import { parentPort } from 'node:worker_threads'
import type { MachineSample } from '../history/history.ts'

/**
 * Worker thread that measures how much slower the machine is than the reference machine, on which
 * the bounds of the verifier were chosen. It times a fixed computation, which is long enough to be
 * interrupted when other processes use the CPU.
 */

const intervalMs = 2_000
const steps = 30_000_000
/** Wall-clock time of the computation on the reference machine without other load. */
const referenceMs = 41

function compute(): number {
  let hash = 2_166_136_261
  for (let step = 0; step < steps; step++) hash = Math.imul(hash ^ (step & 255), 16_777_619)
  return hash
}

compute() // The first run includes compilation.
setInterval(() => {
  const atMs = Date.now()
  const startMs = performance.now()
  compute()
  const sample: MachineSample = { atMs, slowdown: (performance.now() - startMs) / referenceMs }
  parentPort?.postMessage(sample)
}, intervalMs)
