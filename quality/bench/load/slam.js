// Load test of POST /orders for k6 1.0 or newer, which can import TypeScript:
// `k6 run -e URL=http://127.0.0.1:8080 -e SECONDS=20 -e CONNECTIONS=64 quality/bench/load/slam.js`.
// The equivalent without k6 is quality/bench/ours/closed-loop-worker.ts. `npm run bench -- load` runs either
// of them and observes the lag.
import { check } from 'k6'
import { SharedArray } from 'k6/data'
import exec from 'k6/execution'
import http from 'k6/http'
import { makeBodies } from './bodies.ts'

export const options = {
  vus: Number(__ENV.CONNECTIONS || 64),
  duration: `${__ENV.SECONDS || 20}s`,
  summaryTrendStats: ['med', 'p(99)', 'max'],
  thresholds: { checks: ['rate>0.999'] }
}

const bodies = new SharedArray('bodies', makeBodies)
const headers = { 'content-type': 'application/json', ...JSON.parse(__ENV.HEADERS || '{}') }
const run = Date.now()

export default function () {
  const index = exec.scenario.iterationInTest
  const key = __ENV.KEYED ? { 'idempotency-key': `${run}-${__VU}-${index}` } : {}
  const url = `${__ENV.URL || 'http://127.0.0.1:8080'}/orders`
  const response = http.post(url, bodies[index % bodies.length], { headers: { ...headers, ...key } })
  check(response, { accepted: ({ status }) => status === 202 })
}

export function handleSummary({ metrics }) {
  const { count } = metrics.http_reqs.values
  const { med, 'p(99)': p99 } = metrics.http_req_duration.values
  const errors = metrics.checks.values.fails
  return { stdout: `${JSON.stringify({ requests: count, errors, p50Ms: med, p99Ms: p99 })}\n` }
}
