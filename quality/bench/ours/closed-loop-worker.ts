import { randomUUID } from 'node:crypto'
import { Client, type Dispatcher } from 'undici'
import { makeBodies } from '../load/bodies.ts'
import type { Load } from '../load/closed-loop.ts'
import { quantileOfSorted } from '../measure/statistics.ts'
import type { Task } from '../peers/worker.ts'
import { answerTasks } from './answer-tasks.ts'

const bodies = makeBodies()

/**
 * Sends one request after the other on each connection for the given time, which measures the
 * maximum rate.
 */
await answerTasks(async (task: Task) => {
  const { url, connections, seconds, headers: others, isKeyed } = task as unknown as Load & { readonly url: string }
  const headers = { ...others, 'content-type': 'application/json' }
  const request = () => ({
    method: 'POST' as const,
    path: '/orders',
    headers: isKeyed ? { ...headers, 'idempotency-key': randomUUID() } : headers,
    body: bodies[next++ % bodies.length] as string
  })
  const untilMs = performance.now() + seconds * 1_000
  const clients = Array.from({ length: connections }, () => new Client(url))
  const latenciesMs: number[] = []
  let errors = 0
  let unanswered = 0
  let next = 0
  await Promise.all(
    clients.map(
      client =>
        new Promise<void>(resolve => {
          let sentMs = 0
          const send = (): void => {
            sentMs = performance.now()
            if (sentMs >= untilMs) resolve()
            else client.dispatch(request(), handler)
          }
          const handler: Dispatcher.DispatchHandler = {
            onRequestStart: () => {},
            onResponseData: () => {},
            onResponseStart: (_controller, statusCode) => {
              if (statusCode !== 202) errors++
            },
            onResponseEnd: () => {
              latenciesMs.push(performance.now() - sentMs)
              send()
            },
            onResponseError: () => {
              unanswered++
              setImmediate(send)
            }
          }
          send()
        })
    )
  )
  await Promise.all(clients.map(client => client.close()))
  const sorted = Float64Array.from(latenciesMs).sort()
  return {
    requests: sorted.length + unanswered,
    errors: errors + unanswered,
    p50Ms: quantileOfSorted(sorted, 0.5),
    p99Ms: quantileOfSorted(sorted, 0.99)
  }
})
