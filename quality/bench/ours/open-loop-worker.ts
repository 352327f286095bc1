import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { topicNames } from '@orderly/contracts'
import { Cluster } from '../../../packages/kafka/cluster/cluster.ts'
import { endOffsets, Fetcher } from '../../../packages/kafka/fetch/fetcher.ts'
import { fixedRate, nowMs } from '../measure/open-loop.ts'
import { quantileOfSorted } from '../measure/statistics.ts'
import { placeOnSchedule } from '../orders/place-on-schedule.ts'
import type { Task } from '../peers/worker.ts'
import { answerTasks, silent } from './answer-tasks.ts'

// Places orders at a fixed rate and measures when each was answered, had an outcome that is visible
// to a `read_committed` reader, and was notified, counted from when the request was due. The trace
// id of the request identifies its outcome and its notification.

const patienceMs = 30_000
const startDelayMs = 200

await answerTasks(async (task: Task) => {
  const { url, brokers, perSecond, durationMs, notificationLog } = task as {
    url: string
    brokers: string
    perSecond: number
    durationMs: number
    notificationLog: string
  }
  const run = randomBytes(4).toString('hex')
  const reader = await startReader(brokers, run)
  const schedule = fixedRate(nowMs() + startDelayMs, perSecond, durationMs)
  const answeredMs = await placeOnSchedule(url, schedule, index => ({
    traceparent: `00-${run}${index.toString(16).padStart(24, '0')}-00000000000000aa-01`
  }))
  const answered = [...answeredMs].filter(ms => !Number.isNaN(ms))
  const accepted = answered.length
  await reader.until(accepted, patienceMs)
  const latencyOf = (times: ReadonlyMap<number, number>) =>
    [...times].map(([index, atMs]) => atMs - schedule.dueAtMs(index))
  const notifiedAtMs = await readNotifications(notificationLog, run, accepted)
  return {
    sent: schedule.count,
    errors: schedule.count - accepted,
    answered: summarize(answered),
    committed: summarize(latencyOf(reader.seenAtMs)),
    notified: summarize(latencyOf(notifiedAtMs))
  }
})

function summarize(latenciesMs: readonly number[]) {
  const sorted = Float64Array.from(latenciesMs).sort()
  return {
    count: sorted.length,
    p50Ms: quantileOfSorted(sorted, 0.5),
    p99Ms: quantileOfSorted(sorted, 0.99),
    p999Ms: quantileOfSorted(sorted, 0.999),
    longestMs: sorted.at(-1) ?? Number.NaN
  }
}

/** Returns the index of the request with a trace id, or undefined if it is not of this run. */
function indexOf(traceID: string | undefined, run: string): number | undefined {
  return traceID?.startsWith(run) === true ? Number.parseInt(traceID.slice(8), 16) : undefined
}

async function startReader(brokers: string, run: string) {
  const cluster = new Cluster({ brokers: [brokers], clientID: 'bench-reader' }, { requestTimeoutMs: 10_000 })
  const fetcher = new Fetcher(cluster, { maxBufferedRecords: 50_000, logger: silent })
  const partitions = []
  for (const topic of [topicNames.inventoryReserved, topicNames.inventoryFailed]) {
    const count = (await cluster.partitions(topic)).length
    for (let partition = 0; partition < count; partition++) partitions.push({ topic, partition })
  }
  fetcher.assign(await endOffsets(cluster, partitions))
  const seenAtMs = new Map<number, number>()
  let isOver = false
  const reading = (async () => {
    while (!isOver) {
      const records = await fetcher.take(10_000)
      const atMs = nowMs()
      for (const { headers } of records) {
        const index = indexOf(headers.text('traceparent')?.split('-')[1], run)
        if (index !== undefined && !seenAtMs.has(index)) seenAtMs.set(index, atMs)
      }
    }
  })()
  return {
    seenAtMs,
    async until(count: number, patienceMs: number): Promise<void> {
      const deadlineMs = nowMs() + patienceMs
      while (seenAtMs.size < count && nowMs() < deadlineMs) await new Promise(resolve => setTimeout(resolve, 20))
      isOver = true
      fetcher.stop()
      await reading
      await cluster.close()
    }
  }
}

/** Returns the times of notifications in the log of the console sink. */
async function readNotifications(logFile: string, run: string, wanted: number): Promise<ReadonlyMap<number, number>> {
  const deadlineMs = nowMs() + patienceMs
  for (;;) {
    const seenAtMs = new Map<number, number>()
    for (const line of (await readFile(logFile, 'utf8')).split('\n')) {
      if (!line.includes(run)) continue
      const { time, traceID } = JSON.parse(line) as { time: string; traceID?: string }
      const index = indexOf(traceID, run)
      if (index !== undefined && !seenAtMs.has(index)) seenAtMs.set(index, Date.parse(time))
    }
    if (seenAtMs.size >= wanted || nowMs() > deadlineMs) return seenAtMs
    await new Promise(resolve => setTimeout(resolve, 200))
  }
}
