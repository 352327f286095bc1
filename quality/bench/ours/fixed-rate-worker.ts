import { randomUUID } from 'node:crypto'
import type { FixedRateLoad } from '../load/fixed-rate.ts'
import { fixedRate, nowMs } from '../measure/open-loop.ts'
import { quantileOfSorted } from '../measure/statistics.ts'
import { placeOnSchedule } from '../orders/place-on-schedule.ts'
import type { Task } from '../peers/worker.ts'
import { answerTasks } from './answer-tasks.ts'

// Places orders at a fixed rate and measures the latency of each response, counted from when its
// request was due.

const startDelayMs = 200

await answerTasks(async (task: Task) => {
  const { url, perSecond, seconds, headers, isKeyed } = task as unknown as FixedRateLoad
  const schedule = fixedRate(nowMs() + startDelayMs, perSecond, seconds * 1_000)
  const answeredMs = await placeOnSchedule(url, schedule, () => ({
    ...headers,
    ...(isKeyed && { 'idempotency-key': randomUUID() })
  }))
  const sorted = answeredMs.filter(ms => !Number.isNaN(ms)).sort()
  return {
    requests: schedule.count,
    errors: schedule.count - sorted.length,
    p50Ms: quantileOfSorted(sorted, 0.5),
    p99Ms: quantileOfSorted(sorted, 0.99)
  }
})
