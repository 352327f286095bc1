import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs'
import { setInterval } from 'node:timers'
import { parentPort, workerData } from 'node:worker_threads'
import type { MachineSample } from '../history/history.ts'
import { referenceMs, sampleIntervalMs } from '../history/slowdown.ts'

/**
 * Worker thread that measures how much slower the machine is than the reference machine, on which
 * the bounds of the verifier were chosen. It times a fixed computation, which is long enough to be
 * interrupted when other processes use the CPU, and a synced write, because Postgres waits for one
 * at each commit. The slower of the two counts.
 */

const steps = 30_000_000
const block = Buffer.alloc(4_096)
const file = openSync(workerData.file, 'w')
process.on('exit', () => closeSync(file))

function compute(): number {
  let hash = 2_166_136_261
  for (let step = 0; step < steps; step++) hash = Math.imul(hash ^ (step & 255), 16_777_619)
  return hash
}

function writeSynced(): void {
  writeSync(file, block, 0, block.length, 0)
  fdatasyncSync(file)
}

function timeOf(work: () => unknown): number {
  const startMs = performance.now()
  work()
  return performance.now() - startMs
}

function sample(): void {
  const atMs = Date.now()
  const slowdown = Math.max(timeOf(compute) / referenceMs.computation, timeOf(writeSynced) / referenceMs.syncedWrite)
  parentPort?.postMessage({ atMs, slowdown } satisfies MachineSample)
}

compute() // The first run includes compilation.
sample()
setInterval(sample, sampleIntervalMs)
