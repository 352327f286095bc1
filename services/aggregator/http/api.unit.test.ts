import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type ApiDocument, createTestHttp, fuzzApi, sendExamples } from '@orderly/service-kit/testing'
import { createMemoryStore } from '../store/testing/memory.ts'
import { addRateApi } from './api.ts'

async function serve(t: TestContext): Promise<{ readonly baseURL: string; readonly document: ApiDocument }> {
  const { http, listen } = createTestHttp(t)
  const policy = { graceMs: 0, clockSkewMs: 0, retentionMs: 86_400_000 }
  await addRateApi(http, { callers: undefined, store: createMemoryStore(policy), policy, nowMs: Date.now })
  const baseURL = await listen()
  return { baseURL, document: (await http.inject('/openapi.json')).json() }
}

test('every response to generated requests conforms to the OpenAPI document', async t => {
  const { baseURL, document } = await serve(t)
  const { statuses } = await fuzzApi(document, { baseURL, headers: {}, runs: 25 })
  t.diagnostic(JSON.stringify(statuses))
})

test('the examples of the document work as they are', async t => {
  const { baseURL, document } = await serve(t)
  assert.deepEqual(await sendExamples(document, baseURL), [{ operationID: 'getRates', statuses: [200] }])
})
