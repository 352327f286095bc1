/**
 * Common part of the workers of the comparison. A worker is a process that runs one client by the
 * settings in `CLIENT_TASK`, and reports one JSON object per line. It exits at the end of its input.
 */
import { writeSync } from 'node:fs'
import { createInterface } from 'node:readline'

export const task = JSON.parse(process.env.CLIENT_TASK)
// While measuring, a busy machine must not end the session.
export const sessionTimeoutMs = task.measure === undefined ? 6_000 : 30_000
export const rebalanceTimeoutMs = task.measure === undefined ? 6_000 : 30_000
export const transactionTimeoutMs = 25_000

export function report(message) {
  writeSync(1, `${JSON.stringify(message)}\n`)
}

const { promise: released, resolve: release } = Promise.withResolvers()
const input = createInterface({ input: process.stdin })
input.on('line', release)
input.on('close', () => process.exit(0))

let hasHeld = false

/** Reports the first arrival at a point of the loop. All arrivals wait until the scenario continues. */
export async function hold(point) {
  if (task.holdAt !== point) return
  if (!hasHeld) report({ event: 'held' })
  hasHeld = true
  await released
}

let count = 0
let start
const latenciesMs = []

/** Counts the records of a committed transaction. @param timestampsMs times at which they were produced */
export function committed(timestampsMs) {
  if (task.measure === undefined) return
  const nowMs = Date.now()
  count += timestampsMs.length
  if (start === undefined) {
    // Connections, caches and compilers are warm from here on.
    if (count >= task.measure.from) start = { count, ms: performance.now(), cpu: process.cpuUsage(), transactions: 0 }
    return
  }
  start.transactions++
  for (const timestampMs of timestampsMs) latenciesMs.push(nowMs - Number(timestampMs))
  if (count < task.measure.to) return
  const { user, system } = process.cpuUsage(start.cpu)
  latenciesMs.sort((a, b) => a - b)
  const percentile = share => latenciesMs[Math.min(latenciesMs.length - 1, Math.floor(latenciesMs.length * share))]
  report({
    event: 'done',
    records: count - start.count,
    transactions: start.transactions,
    seconds: (performance.now() - start.ms) / 1_000,
    cpuSeconds: (user + system) / 1e6,
    p50Ms: percentile(0.5),
    p99Ms: percentile(0.99)
  })
}

/** Reports an error that ends the loop, and exits as a supervisor expects it. */
export function fail(error) {
  const causes = [error, error?.cause, ...(error?.errors ?? [])]
  const words = causes.flatMap(own => [own?.code, own?.apiId, own?.type, own?.name, own?.message])
  const text = [...new Set(words.filter(Boolean))].join(' ')
  report({ event: 'failed', message: text.slice(0, 300) })
  process.exit(/fenc|INVALID_PRODUCER_EPOCH/i.test(text) ? 70 : 1)
}
process.on('unhandledRejection', fail)
process.on('uncaughtException', fail)
