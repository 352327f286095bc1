import { Pool } from 'undici'
import { follow, nowMs, type Schedule } from '../measure/open-loop.ts'
import { makeBody } from './make-orders.ts'

const connections = 256

/**
 * Places each order when it is due, whatever the latency of earlier ones.
 * @returns for each order the time from when it was due to its answer 202, in milliseconds; NaN if it
 * had another answer or none
 */
export async function placeOnSchedule(
  url: string,
  schedule: Schedule,
  headersOf: (index: number) => Readonly<Record<string, string>>
): Promise<Float64Array> {
  const pool = new Pool(url, { connections })
  const answeredMs = new Float64Array(schedule.count).fill(Number.NaN)
  const inFlight: Promise<void>[] = []
  await follow(schedule, (index, dueAtMs) => {
    const headers = { ...headersOf(index), 'content-type': 'application/json' }
    const request = pool
      .request({ method: 'POST', path: '/orders', headers, body: makeBody(index) })
      .then(async ({ statusCode, body }) => {
        await body.dump()
        if (statusCode === 202) answeredMs[index] = nowMs() - dueAtMs
      })
      .catch(() => {})
    inFlight.push(request)
  })
  await Promise.all(inFlight)
  await pool.close()
  return answeredMs
}
