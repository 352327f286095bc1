import { randomUUID } from 'node:crypto'
import { Pool } from 'undici'
import type { FixedRateLoad } from '../load/fixed-rate.ts'
import { fixedRate, follow } from '../measure/open-loop.ts'
import { quantileOfSorted } from '../measure/statistics.ts'
import { makeBody } from '../orders/make-orders.ts'
import type { Task } from '../peers/worker.ts'
import { answerTasks } from './answer-tasks.ts'

// Places orders at a fixed rate and measures the latency of each response, counted from when its
// request was due.

const connections = 256
const startDelayMs = 200

await answerTasks(async (task: Task) => {
  const { url, perSecond, seconds, headers: others, isKeyed } = task as unknown as FixedRateLoad
  const pool = new Pool(url, { connections })
  const nowMs = () => performance.timeOrigin + performance.now()
  const schedule = fixedRate(nowMs() + startDelayMs, perSecond, seconds * 1_000)
  const latenciesMs: number[] = []
  const inFlight: Promise<void>[] = []
  await follow(schedule, (index, dueAtMs) => {
    const headers = { ...others, 'content-type': 'application/json' }
    const request = pool.request({
      method: 'POST',
      path: '/orders',
      headers: isKeyed ? { ...headers, 'idempotency-key': randomUUID() } : headers,
      body: makeBody(index)
    })
    const measured = request.then(async ({ statusCode, body }) => {
      await body.dump()
      if (statusCode === 202) latenciesMs.push(nowMs() - dueAtMs)
    })
    inFlight.push(measured.catch(() => {}))
  })
  await Promise.all(inFlight)
  await pool.close()
  const sorted = Float64Array.from(latenciesMs).sort()
  return {
    requests: schedule.count,
    errors: schedule.count - sorted.length,
    p50Ms: quantileOfSorted(sorted, 0.5),
    p99Ms: quantileOfSorted(sorted, 0.99)
  }
})
