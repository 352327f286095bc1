import { createTestHttp, writeOpenApi } from '@orderly/service-kit/testing'
import { addRateApi } from '../http/api.ts'
import { createMemoryStore } from '../store/testing/memory.ts'

/** Writes the aggregator API's document, which the service serves at `/openapi.json`. */

const policy = { graceMs: 0, clockSkewMs: 0, retentionMs: 86_400_000 }
await writeOpenApi('aggregator', async t => {
  const { http } = createTestHttp(t)
  await addRateApi(http, { callers: undefined, store: createMemoryStore(policy), policy, nowMs: Date.now })
  return http
})
