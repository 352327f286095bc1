import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { startLimitedServer } from '@orderly/service-kit/testing'

const [json, csv] = ['application/json', 'text/csv']
const fourMB = 4 * 1024 * 1024 - 200
/** Creates a body of maximum size from repeated text. */
const fill = (start: string, unit: string, end: string, bytes = fourMB) =>
  `${start}${unit.repeat(Math.floor((bytes - start.length - end.length) / unit.length))}${end}`
const items = (count: number, item: string) => `{"items":[${Array(count).fill(item)}]}`
const rows = (count: number) => `sku,available\n${Array.from({ length: count }, (_, index) => `${index},1\n`).join('')}`
const maxCPUMs = 1_000
const maxRSSMB = 420

describe('cost of stock requests in a process with the heap limit of a container', () => {
  test('abusive bodies are refused within CPU and memory limits, and large files are streamed', async t => {
    const server = await startLimitedServer(t, new URL('testing/serve-stub.ts', import.meta.url))
    const put = async (type: string, body: string) => {
      const answer = await fetch(`${server.address}/stock`, { method: 'PUT', body, headers: { 'content-type': type } })
      return { status: answer.status, body: (await answer.json()) as { errors?: unknown[]; detail?: string } }
    }
    const good = items(1, '{"sku":"A","available":1}')
    assert.equal((await put(json, good)).status, 200)

    for (const [name, type, body, status] of [
      ['2,000,000 items', json, fill('{"items":[', '0,', '0]}'), 400],
      ['10,000 items without fields', json, items(10_000, '{}'), 400],
      ['5,000 items of unknown fields', json, items(5_000, '{"a":1,"b":1,"c":1}'), 400],
      ['the same SKU 10,000 times', json, items(10_000, '{"sku":"A","available":1}'), 400],
      ['many fields', json, fill('{"items":[{', '"a":1,', '"b":1}]}'), 400],
      ['many levels', json, fill('{"items":', '[', ''), 400],
      ['one SKU of 4 MB', json, fill('{"items":[{"available":1,"sku":"', 'x', '"}]}'), 400],
      ['one number of 4 MB', json, fill('{"items":[{"sku":"A","available":', '9', '}]}'), 400],
      ['a line of 4 MB', csv, fill('sku,available\n', 'x', ''), 400],
      ['a quoted line of 4 MB', csv, fill('sku,available\n"', '""', '",1'), 400],
      ['a header of 4 MB', csv, fill('', 'x', ''), 400],
      ['4,000,000 empty lines', csv, fill('sku,available\n', '\n', ''), 400],
      ['a file above the limit of rows', csv, rows(100_001), 400],
      ['a file at the limit of rows', csv, rows(100_000), 200]
    ] as const) {
      await t.test(name, async () => {
        const before = await server.usage()
        const answer = await put(type, body)
        const after = await server.usage()
        assert.equal(answer.status, status, JSON.stringify(answer.body).slice(0, 300))
        assert.ok((answer.body.errors?.length ?? 0) <= 50 && (answer.body.detail?.length ?? 0) < 500)
        assert.ok(after.cpuMs - before.cpuMs < maxCPUMs, `${Math.round(after.cpuMs - before.cpuMs)} ms`)
        assert.ok(after.maxRSSMB < maxRSSMB, `${Math.round(after.maxRSSMB)} MB`)
        assert.equal((await put(json, good)).status, 200)
      })
    }

    await t.test('a file of a million SKUs is streamed within the memory limit', async () => {
      const answer = await fetch(`${server.address}/stock`, { headers: { accept: csv } })
      let bytes = 0
      for await (const chunk of answer.body as ReadableStream<Uint8Array>) bytes += chunk.length
      assert.equal(bytes, 'sku,available\n'.length + 1_000_000 * 43)
      const { maxRSSMB: rss } = await server.usage()
      assert.ok(rss < maxRSSMB, `${Math.round(rss)} MB`)
      t.diagnostic(`${Math.round(rss)} MB at most`)
    })
  })
})
