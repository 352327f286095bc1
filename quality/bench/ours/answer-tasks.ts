import { createInterface } from 'node:readline'
import type { Task } from '../peers/worker.ts'

/**
 * Answers the tasks of a `Worker` (quality/bench/peers/worker.ts) until the end of the input, then exits.
 */
export async function answerTasks(work: (task: Task) => Promise<object>): Promise<void> {
  for await (const line of createInterface({ input: process.stdin })) {
    process.stdout.write(`${JSON.stringify(await work(JSON.parse(line)))}\n`)
  }
  process.exit(0)
}

/**
 * Creates a stopwatch of wall-clock time and CPU time of the process, from the first record to the
 * last commit.
 */
export function createStopwatch() {
  let startedMs = 0
  let startedCPU = process.cpuUsage()
  return {
    startOnce(): void {
      if (startedMs > 0) return
      startedMs = performance.now()
      startedCPU = process.cpuUsage()
    },
    stop(): { seconds: number; cpuSeconds: number } {
      const { user, system } = process.cpuUsage(startedCPU)
      return { seconds: (performance.now() - startedMs) / 1_000, cpuSeconds: (user + system) / 1e6 }
    }
  }
}

export const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
