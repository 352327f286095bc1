/**
 * Common part of the workers of the comparison. A worker is a process that runs one client by the
 * settings in `CLIENT_TASK`, and reports one JSON object per line. It exits at the end of its input.
 */
import { writeSync } from 'node:fs'
import { createInterface } from 'node:readline'

export const task = JSON.parse(process.env.CLIENT_TASK)
export const sessionTimeoutMs = 6_000
export const rebalanceTimeoutMs = 6_000
export const transactionTimeoutMs = 25_000

export function report(message) {
  writeSync(1, `${JSON.stringify(message)}\n`)
}

const { promise: released, resolve: release } = Promise.withResolvers()
const input = createInterface({ input: process.stdin })
input.on('line', release)
input.on('close', () => process.exit(0))

let hasHeld = false

/** Reports the first arrival at a point of the loop, and waits until the scenario continues. */
export async function hold(point) {
  if (task.holdAt !== point || hasHeld) return
  hasHeld = true
  report({ event: 'held' })
  await released
}

let startedMs
let startedCPU
let count = 0
const latenciesMs = []

/** Starts the measurement with the first records. */
export function received() {
  if (startedMs !== undefined) return
  startedMs = performance.now()
  startedCPU = process.cpuUsage()
}

/** Counts committed records. @param timestampsMs times at which they were produced */
export function committed(timestampsMs) {
  const nowMs = Date.now()
  for (const timestampMs of timestampsMs) latenciesMs.push(nowMs - Number(timestampMs))
  count += timestampsMs.length
  if (task.records === undefined || count < task.records) return
  const { user, system } = process.cpuUsage(startedCPU)
  latenciesMs.sort((a, b) => a - b)
  const percentile = share => latenciesMs[Math.min(latenciesMs.length - 1, Math.floor(latenciesMs.length * share))]
  report({
    event: 'done',
    seconds: (performance.now() - startedMs) / 1_000,
    cpuSeconds: (user + system) / 1e6,
    p50Ms: percentile(0.5),
    p99Ms: percentile(0.99)
  })
}

/** Reports an error that ends the loop, and exits as a supervisor expects it. */
export function fail(error) {
  const text = [error?.code, error?.type, error?.name, error?.message, error?.cause?.message].filter(Boolean).join(' ')
  report({ event: 'failed', message: text.slice(0, 300) })
  process.exit(/fenc|INVALID_PRODUCER_EPOCH/i.test(text) ? 70 : 1)
}
process.on('unhandledRejection', fail)
process.on('uncaughtException', fail)
